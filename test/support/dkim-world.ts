/** Signs and verifies messages without a server, and signs wrongly where a test wants that. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { splitHeaders } from '../../src/mail/header.ts'
import type { DkimFacts } from '../../src/mail/dkim-facts.ts'
import { BodyHashes } from '../../src/policy/msgauth/dkim/body-hash.ts'
import { HeaderSet } from '../../src/policy/msgauth/dkim/headers.ts'
import { DkimVerifier, type VerifyOptions } from '../../src/policy/msgauth/dkim/verifier.ts'
import type { DnsAnswer, Ports } from '../../src/ports.ts'

export const usual: VerifyOptions = {
  hashes: ['sha256', 'sha512'],
  keyTypes: ['ed25519', 'rsa'],
  fewestBits: new Map([
    ['rsa', 1024],
    ['ed25519', 250],
  ]),
  minimal: false,
}

/** TXT records by name; `again` for a name that cannot be looked up. */
export type TxtZone = Readonly<Record<string, string | readonly string[]>>

export function txtDns(zone: TxtZone): Pick<Ports, 'dns'> & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    dns(name): Promise<DnsAnswer> {
      asked.push(name)
      const found = zone[name]
      const base = { authenticated: false, canonicalName: name }
      if (found === undefined) return Promise.resolve({ ...base, status: 'nxdomain', records: [] })
      if (found === 'again') return Promise.resolve({ ...base, status: 'again', records: [] })
      const texts = typeof found === 'string' ? [found] : found
      return Promise.resolve({
        ...base,
        status: 'found',
        records: texts.map((text) => ({
          type: 'TXT',
          name,
          ttl: 60,
          strings: text.match(/.{1,255}/gs) ?? [''],
        })),
      })
    },
  }
}

/** @param message with CRLF line ends; a lone CR or LF is one. @param piece bytes handed over at a time */
export async function verifyMessage(
  message: string,
  zone: TxtZone | (Pick<Ports, 'dns'> & object),
  options: Partial<VerifyOptions> & { readonly now?: number; readonly piece?: number } = {},
): Promise<DkimFacts> {
  const { head, body, bare } = wireParts(message)
  const hashes = new BodyHashes()
  const headers = new HeaderSet(splitHeaders(head).map(({ text }) => text))
  const verifier = new DkimVerifier(headers, hashes, { ...usual, ...options }, options.now ?? Date.now())
  pushInPieces(hashes, body, bare, options.piece ?? 65_536)
  hashes.finish()
  return verifier.finish(
    'dns' in zone && typeof zone.dns === 'function' ? (zone as Pick<Ports, 'dns'>) : txtDns(zone as TxtZone),
  )
}

export function pushInPieces(hashes: BodyHashes, body: Buffer, bare: readonly number[], piece: number): void {
  for (let from = 0; from < body.length; from += piece) {
    const to = Math.min(from + piece, body.length)
    const inside = bare.filter((end) => end > from && end <= to).map((end) => end - from)
    hashes.push(body.subarray(from, to), inside)
  }
}

/** The header section and the body as the spool has them, with the places of bare line ends in the body. */
export function wireParts(message: string): { head: string; body: Buffer; bare: number[] } {
  const split = message.indexOf('\r\n\r\n')
  const head = (split < 0 ? message : message.slice(0, split + 2)).replaceAll('\r\n', '\n')
  const bare: number[] = []
  let body = ''
  for (const [part] of (split < 0 ? '' : message.slice(split + 4)).matchAll(/\r\n|[\r\n]|[^\r\n]+/g)) {
    body += part === '\r\n' || part === '\r' ? '\n' : part
    if (part === '\r' || part === '\n') bare.push(body.length)
  }
  return { head, body: Buffer.from(body, 'latin1'), bare }
}

export interface TestKey {
  readonly privateKey: KeyObject
  /** For `p=`. */
  readonly data: string
}

export function rsaKey(bits = 1024, exponent = 65_537): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: bits,
    publicExponent: exponent,
  })
  return { privateKey, data: publicKey.export({ type: 'spki', format: 'der' }).toString('base64') }
}

export function ed25519Key(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    privateKey,
    data: publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('base64'),
  }
}

export interface OddSignature {
  readonly a?: string
  readonly c?: string
  readonly d?: string
  readonly s?: string
  readonly h?: string
  /** Put in place of what is right; undefined leaves the tag out. */
  readonly tags?: Readonly<Record<string, string | undefined>>
  /** Comes after the other tags. */
  readonly more?: string
}

/** A plain signer of its own, written against the RFC and not against our code, that can be told to do it wrong. */
export function signOddly(message: string, key: TestKey, odd: OddSignature = {}): string {
  const end = message.indexOf('\r\n\r\n')
  const headers = message.slice(0, end).split(/\r\n(?![ \t])/)
  const [headCanon = 'simple', bodyCanon = 'simple'] = (odd.c ?? 'relaxed/relaxed').split('/')
  const [type, hash = 'sha256'] = (odd.a ?? 'rsa-sha256').split('-')
  let body = message.slice(end + 4)
  if (bodyCanon === 'relaxed') {
    body = body
      .replace(/[ \t]+(?=\r\n)/g, '')
      .replace(/[ \t]+/g, ' ')
      .replace(/(?:\r\n)+$/, '')
    if (body !== '') body += '\r\n'
  } else body = `${body.replace(/(?:\r\n)*$/, '')}\r\n`
  const length = odd.tags?.l
  if (length !== undefined && /^\d+$/.test(length)) body = body.slice(0, Number(length))
  const relaxed = (line: string): string => {
    const colon = line.indexOf(':')
    const value = line
      .slice(colon + 1)
      .replaceAll('\r\n', '')
      .replace(/[ \t]+/g, ' ')
      .trim()
    return `${line.slice(0, colon).trim().toLowerCase()}:${value}`
  }
  const canon = (line: string): string => (headCanon === 'relaxed' ? relaxed(line) : line)
  let data = ''
  const left = [...headers]
  for (const name of (odd.h ?? 'from:to:subject:date').split(':')) {
    const at = left.findLastIndex(
      (line) => line.split(':')[0]?.trim().toLowerCase() === name.trim().toLowerCase(),
    )
    if (at >= 0) data += `${canon(left.splice(at, 1)[0] ?? '')}\r\n`
  }
  const tags: Record<string, string | undefined> = {
    v: '1',
    a: odd.a ?? 'rsa-sha256',
    c: odd.c ?? 'relaxed/relaxed',
    d: odd.d ?? 'example.test',
    s: odd.s ?? 'sel',
    h: odd.h ?? 'from:to:subject:date',
    bh: createHash(hash).update(body, 'latin1').digest('base64'),
    ...odd.tags,
  }
  const list = Object.entries(tags).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  )
  const head = `DKIM-Signature: ${[...list, ...(odd.more === undefined ? [] : [odd.more])].join('; ')}; b=`
  const bytes = Buffer.from(data + canon(head), 'latin1')
  const signature =
    type === 'rsa'
      ? sign(hash, bytes, key.privateKey)
      : sign(null, createHash('sha256').update(bytes).digest(), key.privateKey)
  return `${head}${signature.toString('base64')}\r\n${message}`
}
