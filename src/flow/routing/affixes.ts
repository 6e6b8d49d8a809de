/**
 * Prefixes and suffixes of local parts.
 * Source: Exim manual, router options "local_part_prefix" and "local_part_suffix".
 */
import { asciiLower, type ByteString } from '../../base/text.ts'

export interface Affix {
  /** The whole affix as it stands in the local part. */
  readonly text: ByteString
  /** What its wildcard matched. */
  readonly variable: ByteString | undefined
}

/** The first pattern of the list that the local part begins with; case does not count. */
export function findPrefix(patterns: readonly ByteString[], localPart: ByteString): Affix | undefined {
  const lower = asciiLower(localPart)
  for (const raw of patterns) {
    const pattern = asciiLower(raw)
    if (!pattern.startsWith('*')) {
      if (lower.startsWith(pattern)) return { text: localPart.slice(0, pattern.length), variable: undefined }
      continue
    }
    // The longest possible: the last place where the fixed part stands.
    const fixed = pattern.slice(1)
    const at = lower.lastIndexOf(fixed)
    if (at < 0) continue
    return { text: localPart.slice(0, at + fixed.length), variable: localPart.slice(0, at) }
  }
  return undefined
}

/** The same at the end; a wildcard is the pattern's last character. */
export function findSuffix(patterns: readonly ByteString[], localPart: ByteString): Affix | undefined {
  const lower = asciiLower(localPart)
  for (const raw of patterns) {
    const pattern = asciiLower(raw)
    if (!pattern.endsWith('*')) {
      if (!lower.endsWith(pattern)) continue
      return { text: localPart.slice(localPart.length - pattern.length), variable: undefined }
    }
    const fixed = pattern.slice(0, -1)
    const at = lower.indexOf(fixed)
    if (at < 0) continue
    return { text: localPart.slice(at), variable: localPart.slice(at + fixed.length) }
  }
  return undefined
}
