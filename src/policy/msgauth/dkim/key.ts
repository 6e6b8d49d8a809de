/** Public keys in the DNS. Sources: RFC 6376 section 3.6, RFC 8301, RFC 8463. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { ByteString } from '../../../base/text.ts'
import type { DkimKeyFacts } from '../../../mail/dkim-facts.ts'
import type { DnsAnswer, Ports } from '../../../ports.ts'
import { asciiDomain } from '../spf/names.ts'
import { base64Bytes, fromQuotedPrintable, parseTags, withoutSpace } from './tags.ts'

export interface SigningKey {
  readonly key: KeyObject
  readonly type: 'rsa' | 'ed25519'
  /** Hashes the key may be used with; undefined: all. */
  readonly hashes: readonly string[] | undefined
  readonly facts: DkimKeyFacts
}

export type FoundKey =
  | { readonly is: 'key'; readonly key: SigningKey }
  /** No record at all. */
  | { readonly is: 'none' }
  /** A record that is none, or a key that was taken back. */
  | { readonly is: 'bad'; readonly why: string }
  /** The DNS could not say. */
  | { readonly is: 'again' }

/** Longer records are not looked at; 16384 bits of RSA need less. */
const longestRecord = 8192
/** Checking a signature of more bits takes too long for what a stranger may ask: RFC 8301 section 3.2 wants 4096. */
const mostBits = 8192
/** RSA exponents beyond are of no use but to keep a verifier busy. */
const mostExponent = 2n ** 33n

/** Asks for `selector._domainkey.domain`. */
export async function findKey(
  selector: ByteString,
  domain: ByteString,
  ports: Pick<Ports, 'dns'>,
  within: Promise<'late'>,
): Promise<FoundKey> {
  const name = asciiDomain(`${selector}._domainkey.${domain}`).toLowerCase()
  if (name.length > 253) return { is: 'none' }
  const answer: DnsAnswer | 'late' = await Promise.race([ports.dns(name, 'TXT'), within])
  if (answer === 'late' || answer.status === 'again') return { is: 'again' }
  const records = answer.records.filter((record) => record.type === 'TXT')
  // With several records any may be taken: RFC 6376 section 6.1.2. The first that is a key is.
  let found: FoundKey = { is: 'none' }
  for (const record of records.slice(0, 10)) {
    const text = 'strings' in record ? record.strings.join('') : ''
    const read = readKey(text)
    if (read.is === 'key') return read
    if (found.is === 'none') found = read
  }
  return found
}

/** Keys that were read, by record: importing one takes as long as using it. */
const known = new Map<ByteString, FoundKey>()
const mostKnown = 500

export function readKey(record: ByteString): FoundKey {
  if (record.length > longestRecord) return { is: 'bad', why: 'overlong public key record' }
  let found = known.get(record)
  if (found === undefined) {
    found = parseKey(record)
    const oldest = known.size >= mostKnown ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    known.set(record, found)
  }
  return found
}

function parseKey(record: ByteString): FoundKey {
  const list = parseTags(record)
  if (list.fault !== undefined) return { is: 'bad', why: list.fault }
  const { tags } = list
  const version = tags.get('v')?.value
  // It must be the first tag when it is there.
  if (version !== undefined && (version !== 'DKIM1' || [...tags.keys()][0] !== 'v')) {
    return { is: 'bad', why: 'not a DKIM record' }
  }
  const services = withoutSpace(tags.get('s')?.value ?? '*')
  if (!services.split(':').some((one) => one === '*' || one.toLowerCase() === 'email')) {
    return { is: 'bad', why: 'not a key for mail' }
  }
  const type = (tags.get('k')?.value ?? 'rsa').toLowerCase()
  if (type !== 'rsa' && type !== 'ed25519') return { is: 'bad', why: 'unknown key type' }
  const data = withoutSpace(tags.get('p')?.value ?? '')
  if (data === '') return { is: 'bad', why: tags.has('p') ? 'key revoked' : 'no key' }
  const bytes = base64Bytes(data)
  const imported = bytes === undefined ? undefined : importKey(bytes, type)
  if (imported === undefined) return { is: 'bad', why: 'not a key' }
  const flags = withoutSpace(tags.get('t')?.value ?? '')
    .toLowerCase()
    .split(':')
  const hashes = tags.get('h')?.value
  return {
    is: 'key',
    key: {
      key: imported.key,
      type,
      hashes: hashes === undefined ? undefined : withoutSpace(hashes).toLowerCase().split(':'),
      facts: {
        bits: imported.bits,
        testing: flags.includes('y'),
        noSubdomains: flags.includes('s'),
        serviceType: services,
        granularity: withoutSpace(tags.get('g')?.value ?? '*'),
        notes: fromQuotedPrintable(tags.get('n')?.value ?? ''),
      },
    },
  }
}

/** What stands before the 32 bytes of an Ed25519 key: RFC 8410. */
const ed25519Head = Buffer.from('302a300506032b6570032100', 'hex')

function importKey(
  bytes: Buffer,
  type: 'rsa' | 'ed25519',
): { readonly key: KeyObject; readonly bits: number } | undefined {
  if (type === 'ed25519') {
    // The bare key, or wrapped as an earlier draft had it.
    const key = derKey(bytes.length === 32 ? Buffer.concat([ed25519Head, bytes]) : bytes, 'spki')
    return key?.asymmetricKeyType === 'ed25519' ? { key, bits: 256 } : undefined
  }
  // RFC 6376 speaks of RSAPublicKey (PKCS 1) and shows SubjectPublicKeyInfo: both are met.
  const key = derKey(bytes, 'spki') ?? derKey(bytes, 'pkcs1')
  const { modulusLength: bits = 0, publicExponent = 0n } = key?.asymmetricKeyDetails ?? {}
  if (key?.asymmetricKeyType !== 'rsa' || bits > mostBits) return undefined
  if (publicExponent < 3n || publicExponent > mostExponent) return undefined
  return { key, bits }
}

function derKey(bytes: Buffer, type: 'spki' | 'pkcs1'): KeyObject | undefined {
  try {
    return createPublicKey({ key: bytes, format: 'der', type })
  } catch {
    return undefined
  }
}
