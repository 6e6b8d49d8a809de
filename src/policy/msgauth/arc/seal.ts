/** Adds an ARC set to a message. Sources: RFC 8617 section 5.1; Exim's description of `arc_sign`. */
import type { KeyObject } from 'node:crypto'
import type { ByteString } from '../../../base/text.ts'
import type { BodyHash, BodyHashes } from '../dkim/body-hash.ts'
import { signHeaders } from '../dkim/default-headers.ts'
import { HeaderSet, relaxedHeader } from '../dkim/headers.ts'
import { foldedTags, foldedValue, signatureOf, signedNames } from '../dkim/sign.ts'
import { mostInstances, readChain } from './sets.ts'

export interface SealWish {
  /** The domain that seals. */
  readonly domain: ByteString
  /** Our name in Authentication-Results: headers. */
  readonly authservId: ByteString
  readonly selector: ByteString
  readonly key: KeyObject
  /** Seconds since 1970; undefined: no `t=`. */
  readonly created: number | undefined
  /** What `verify = arc` found when the message came in; undefined: it did not run. */
  readonly state: string | undefined
  /** For `x=` of the message signature. */
  readonly expires: number | undefined
}

/** From: once more than it is there, the others as they are; DKIM signatures too: RFC 8617 section 4.1.2. */
const covered: readonly string[] = [
  ...signHeaders.split(':').map((name) => (name === 'From' ? '+From' : `=${name}`)),
  '=DKIM-Signature',
]

export function beginSeal(hashes: BodyHashes): BodyHash {
  return hashes.want('relaxed', 'sha256')
}

export type Sealed = { readonly headers: ByteString } | { readonly why: string }

/**
 * @param texts headers of the message as it leaves, but for the set, LF line ends
 * @returns the three headers of the set, the seal first, LF line ends; or why there is none
 */
export function seal(texts: readonly ByteString[], body: BodyHash, wish: SealWish): Sealed {
  if (body.digest === undefined) throw new Error('the body is not hashed yet')
  const headers = new HeaderSet(texts)
  const results = ownResults(headers, wish.authservId)
  if (results === undefined) return { why: `no Authentication-Results: of ${wish.authservId}` }
  const place = placeIn(headers, results, wish.state)
  if ('why' in place) return place
  const { instance, cv } = place
  const set = `i=${instance}`
  const resultsHeader = `ARC-Authentication-Results: ${set}; ${results}\n`
  const algorithm = `a=${wish.key.asymmetricKeyType ?? ''}-sha256`
  const signer = [algorithm, `d=${wish.domain}`, `s=${wish.selector}`]
  const created = wish.created === undefined ? [] : [`t=${wish.created}`]
  const names = signedNames(covered, headers)
  const messageHead = `${foldedTags('ARC-Message-Signature:', [
    set,
    ...signer,
    'c=relaxed/relaxed',
    ...created,
    ...(wish.expires === undefined ? [] : [`x=${wish.expires}`]),
    `h=${names.join(':')}`,
    `bh=${body.digest.toString('base64')}`,
  ])};\n\tb=`
  const lowerNames = names.map((name) => name.toLowerCase())
  const messageHeader = signed(headers.select(lowerNames, 'relaxed'), messageHead, wish)
  const sealHead = `${foldedTags('ARC-Seal:', [set, `cv=${cv}`, ...signer, ...created])};\n\tb=`
  // A broken chain is not vouched for: RFC 8617 section 5.1.2.
  const before = cv === 'fail' ? '' : setsBefore(headers)
  const own = `${relaxedHeader(resultsHeader)}\r\n${relaxedHeader(messageHeader)}\r\n`
  return { headers: signed(before + own, sealHead, wish) + messageHeader + resultsHeader }
}

function signed(data: ByteString, head: ByteString, wish: SealWish): ByteString {
  const all = Buffer.from(data + relaxedHeader(`${head}\n`), 'latin1')
  return `${head}${foldedValue(signatureOf(all, { key: wish.key, hash: 'sha256' }))}\n`
}

/** The sets that are there, in order, canonical. */
function setsBefore(headers: HeaderSet): ByteString {
  const chain = readChain(headers)
  if (chain.is !== 'chain') return ''
  return chain.sets
    .flatMap(({ results, message, seal: { text } }) => [results, message.text, text])
    .map((text) => `${relaxedHeader(text)}\r\n`)
    .join('')
}

/** Which instance comes next, and what is to be said of the chain before it. */
function placeIn(
  headers: HeaderSet,
  results: ByteString,
  known: string | undefined,
): { readonly instance: number; readonly cv: 'none' | 'pass' | 'fail' } | { readonly why: string } {
  const chain = readChain(headers)
  if (chain.is === 'none') return { instance: 1, cv: 'none' }
  const count = chain.is === 'chain' ? chain.sets.length : chain.instances
  if (count >= mostInstances) return { why: `${count} ARC sets are there already` }
  if (chain.is === 'bad') {
    return chain.failed ? { why: 'the chain was sealed as failed' } : { instance: count + 1, cv: 'fail' }
  }
  // What we found when the message came in; it may have been changed since, so it is not checked again here.
  const said = known ?? /;[ \t\n]*arc[ \t\n]*=[ \t\n]*([a-z]+)/i.exec(bare(results))?.[1]?.toLowerCase()
  if (said !== 'pass' && said !== 'fail') return { why: 'Authentication-Results: says nothing of arc' }
  return { instance: count + 1, cv: said }
}

/** What our own Authentication-Results: say together, our name before it. RFC 8617 section 5.1, step 1. */
function ownResults(headers: HeaderSet, authservId: ByteString): ByteString | undefined {
  const found: ByteString[] = []
  for (const { text } of headers.named('authentication-results')) {
    const [, id = '', said = ''] =
      /^[ \t\n]*"?([^\s;"]+)"?(?:[ \t\n]+\d+)?[ \t\n]*;([^]*)$/.exec(text.slice(text.indexOf(':') + 1)) ?? []
    if (id.toLowerCase() !== authservId.toLowerCase()) continue
    found.push(said.replace(/^[ \t\n]/, '').replace(/\n$/, ''))
  }
  if (found.length === 0) return undefined
  const telling = found.filter((said) => said.trim() !== 'none')
  return `${authservId}; ${telling.length === 0 ? 'none' : telling.join(';\n\t')}`
}

/** Without quoted strings and comments, which hold what strangers wrote. */
function bare(text: ByteString): ByteString {
  let plain = ''
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '\\') i++
    else if (quoted) quoted = char !== '"'
    else if (char === '"' && depth === 0) quoted = true
    else if (char === '(') depth++
    else if (char === ')' && depth > 0) depth--
    else if (depth === 0) plain += char
  }
  return plain
}
