/** The keys that a single-key lookup tries, in order. Source: Exim manual, "Partial matching", "Default values". */
import type { ByteString } from '../../base/text.ts'
import type { LookupRequest } from '../../ports.ts'

export interface TriedKey {
  readonly key: ByteString
  /** Bytes of the subject that the wild part stands for. */
  readonly wildLength: number
  /** A default was tried: there is no fixed part. */
  readonly isDefault?: true
}

/** Most components of a key that partial matching takes off. */
const mostComponents = 128

export function keysToTry(key: ByteString, request: Pick<LookupRequest, 'partial' | 'star'>): TriedKey[] {
  const keys: TriedKey[] = [{ key, wildLength: 0 }]
  if (request.partial !== undefined) keys.push(...partialKeys(key, request.partial))
  if (request.star === '*@') {
    const at = key.lastIndexOf('@')
    if (at >= 0) keys.push({ key: `*${key.slice(at)}`, wildLength: at, isDefault: true })
  }
  if (request.star !== undefined) keys.push({ key: '*', wildLength: key.length, isDefault: true })
  return keys
}

function partialKeys(key: ByteString, partial: { least: number; affix: ByteString }): TriedKey[] {
  const { least, affix } = partial
  const keys: TriedKey[] = []
  let rest = key
  for (let taken = 0; taken < mostComponents; taken++) {
    if (taken > 0 && rest.split('.').length < least) return keys
    const wildLength = key.length - rest.length
    if (affix + rest !== key) keys.push({ key: affix + rest, wildLength: Math.max(0, wildLength - 1) })
    const dot = rest.indexOf('.')
    if (dot < 0) break
    rest = rest.slice(dot + 1)
  }
  // With least 0 the affix alone is tried last, without its final dot.
  if (least === 0) {
    const alone = affix.endsWith('.') ? affix.slice(0, -1) : affix
    if (alone !== '') keys.push({ key: alone, wildLength: key.length })
  }
  return keys
}
