/** Makes DKIM-Signature: headers. Sources: RFC 6376 sections 3.5, 3.7 and 5; RFC 8301; RFC 8463; Exim manual, "Signing outgoing messages". */
import { createHash, type KeyObject, sign } from 'node:crypto'
import type { ByteString } from '../../../base/text.ts'
import type { BodyHash, BodyHashes, Canonicalisation, HashName } from './body-hash.ts'
import { canonicalHeader, type HeaderSet } from './headers.ts'

/** One signature that is wanted. */
export interface SigningWish {
  readonly domain: ByteString
  readonly selector: ByteString
  readonly key: KeyObject
  readonly hash: HashName
  /** Of headers and body. */
  readonly canonicalisation: Canonicalisation
  /** `i=`; undefined: none. */
  readonly identity: ByteString | undefined
  /** `t=` and `x=`, seconds since 1970. */
  readonly times: { readonly created: number; readonly expires: number } | undefined
  /** As in `dkim_sign_headers`, split. */
  readonly headers: readonly ByteString[]
}

/** A signature whose body is being hashed. */
export interface Signing {
  readonly wish: SigningWish
  readonly body: BodyHash
}

export function beginSigning(wish: SigningWish, hashes: BodyHashes): Signing {
  return { wish, body: hashes.want(wish.canonicalisation, wish.hash) }
}

/**
 * Names for `h=`: a name as often as it is listed, whether or not such a header is there; `=name` once for each that is there;
 * `+name` once more, so that none can be added.
 */
export function signedNames(list: readonly ByteString[], headers: HeaderSet): ByteString[] {
  return list.flatMap((item) => {
    const sign = item[0]
    if (sign !== '=' && sign !== '+') return [item]
    const name = item.slice(1).trim()
    const there = headers.count(name.toLowerCase())
    return Array.from({ length: sign === '+' ? there + 1 : there }, () => name)
  })
}

/** @returns the header, LF line ends, the last one included */
export function finishSigning({ wish, body }: Signing, headers: HeaderSet): ByteString {
  if (body.digest === undefined) throw new Error('the body is not hashed yet')
  const names = signedNames(wish.headers, headers)
  const tags = [
    'v=1',
    `a=${wish.key.asymmetricKeyType ?? ''}-${wish.hash}`,
    'q=dns/txt',
    `c=${wish.canonicalisation}/${wish.canonicalisation}`,
    `d=${wish.domain}`,
    `s=${wish.selector}`,
    ...(wish.identity === undefined ? [] : [`i=${quotedPrintable(wish.identity)}`]),
    ...(wish.times === undefined ? [] : [`t=${wish.times.created}`, `x=${wish.times.expires}`]),
    `h=${names.join(':')}`,
    `bh=${body.digest.toString('base64')}`,
  ]
  const head = `${foldedTags('DKIM-Signature:', tags)};\n\tb=`
  const lowerNames = names.map((name) => name.toLowerCase())
  const data =
    headers.select(lowerNames, wish.canonicalisation) +
    canonicalHeader(`${head}\n`, wish.canonicalisation).replace(/\r\n$/, '')
  return `${head}${foldedValue(signatureOf(Buffer.from(data, 'latin1'), wish))}\n`
}

/** Ed25519 signs the hash of the data: RFC 8463 section 3. */
export function signatureOf(data: Uint8Array, wish: Pick<SigningWish, 'key' | 'hash'>): string {
  const bytes =
    wish.key.asymmetricKeyType === 'ed25519'
      ? sign(null, createHash(wish.hash).update(data).digest(), wish.key)
      : sign(wish.hash, data, wish.key)
  return bytes.toString('base64')
}

const widest = 76

/** Tags on lines of no more than 76 characters, where that is possible; a list of names is broken after its colons. */
export function foldedTags(name: string, tags: readonly ByteString[]): ByteString {
  let text = name
  let width = name.length
  for (const [i, tag] of tags.entries()) {
    const piece = i + 1 < tags.length ? `${tag};` : tag
    if (width + piece.length + 1 <= widest) {
      text += ` ${piece}`
      width += piece.length + 1
      continue
    }
    const folded = piece.startsWith('h=') ? foldedNames(piece) : piece
    text += `\n\t${folded}`
    width = 8 + folded.length - (folded.lastIndexOf('\n') + 1)
  }
  return text
}

function foldedNames(list: ByteString): ByteString {
  let text = ''
  let width = 8
  for (const part of list.split(/(?<=:)/)) {
    if (width + part.length > widest) {
      text += '\n\t '
      width = 9
    }
    text += part
    width += part.length
  }
  return text
}

/** Base64 broken into lines. */
export function foldedValue(value: string): string {
  return value.replace(/(.{60})(?=.)/g, '$1\n\t ')
}

/** Bytes that have no place in a tag: RFC 6376 section 2.11. */
function quotedPrintable(text: ByteString): ByteString {
  return text.replace(
    /[^!-:<>-~\x80-\xff]/g,
    (char) => `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
