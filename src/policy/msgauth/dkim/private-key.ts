/** Private keys for signing: PEM text, or the path of a file that holds it. Source: Exim manual, `dkim_private_key`. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { type Text, textOf, unquotedTaint } from '../../../base/text.ts'
import type { Context, ServerFacts } from '../../../ports.ts'

export type PrivateKey =
  | { readonly is: 'key'; readonly key: KeyObject }
  /** `0`, `false` or nothing: no signature, and no error. */
  | { readonly is: 'none' }
  | { readonly is: 'bad'; readonly why: string }

const longestFile = 65_536
/** RFC 8301 section 3.2. */
const fewestBits = 1024
const mostKnown = 100

/** Keys that were read, by their PEM text: reading one takes longer than signing with it. They go with the configuration. */
const known = new WeakMap<ServerFacts, Map<string, PrivateKey>>()

export function readPrivateKey(value: Text, { ports, server }: Context): PrivateKey {
  const text = textOf(value).trim()
  if (text === '' || text === '0' || text === 'false') return { is: 'none' }
  if (!text.startsWith('/')) return importPem(text, server)
  const tainted = unquotedTaint(value)
  if (tainted !== undefined) return { is: 'bad', why: `Tainted name '${text}' for file read not permitted` }
  const file = ports.files.read(text, longestFile)
  if ('error' in file) return { is: 'bad', why: `unable to open file for reading: ${text}: ${file.error}` }
  const key = importPem(file.bytes, server)
  return key.is === 'bad' ? { is: 'bad', why: `${text}: ${key.why}` } : key
}

function importPem(pem: string, owner: ServerFacts): PrivateKey {
  let cache = known.get(owner)
  if (cache === undefined) {
    cache = new Map()
    known.set(owner, cache)
  }
  let key = cache.get(pem)
  if (key === undefined) {
    key = parsePem(pem)
    const oldest = cache.size >= mostKnown ? cache.keys().next().value : undefined
    if (oldest !== undefined) cache.delete(oldest)
    cache.set(pem, key)
  }
  return key
}

function parsePem(pem: string): PrivateKey {
  try {
    const key = createPrivateKey(pem)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    switch (key.asymmetricKeyType) {
      case 'rsa':
        return bits < fewestBits
          ? { is: 'bad', why: `RSA key of ${bits} bits: RFC 8301 wants ${fewestBits}` }
          : { is: 'key', key }
      case 'ed25519':
        return { is: 'key', key }
      default:
        return { is: 'bad', why: 'neither an RSA nor an Ed25519 key' }
    }
  } catch {
    // What OpenSSL says could hold parts of the key.
    return { is: 'bad', why: 'not a private key in PEM' }
  }
}
