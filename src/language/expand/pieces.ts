/** Parts and hashes of strings, shared by items (`${hash{..}`) and operators (`${hash_5:..}`). */
import type { Outcome } from '../../base/outcome.ts'
import { retaint, slice, textOf, toBytes, type Text } from '../../base/text.ts'
import { failure } from './environment.ts'

// Exim's table has t before s, whatever its manual says.
const hashLetters = 'abcdefghijklmnopqrtsuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** The offset may be negative: from the end; without a length it then gives what stands before it. */
export function substring(start: number, length: number | undefined, subject: Text): Text {
  const size = textOf(subject).length
  if (start >= 0) return slice(subject, start, length === undefined ? size : start + length)
  const from = size + start
  if (length === undefined) return slice(subject, 0, Math.max(0, from))
  return slice(subject, Math.max(0, from), Math.max(0, from + length))
}

/**
 * The textual hash, found by watching results: characters beyond the wanted length are turned left by some bits,
 * which depend on the character and its place, and mixed into the first ones; each of these picks a letter.
 */
export function hashText(length: number, letters: number | undefined, subject: Text): Outcome {
  const range = letters ?? 26
  if (range > hashLetters.length) return failure(`hash count "${range}" too big`)
  const text = textOf(subject)
  if (length >= text.length) return subject
  if (range < 1 || length < 1) return ''
  const bytes = toBytes(text.slice(0, length))
  for (let i = length; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const turn = (code + i) & 7
    const place = i % length
    bytes[place] = (bytes[place] ?? 0) ^ (((code << turn) | (code >> (8 - turn))) & 255)
  }
  return retaint([...bytes].map((byte) => hashLetters.charAt(byte % range)).join(''), subject)
}

const primes = [
  113, 109, 107, 103, 101, 97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47, 43, 41, 37, 31, 29, 23, 19, 17, 13, 11,
  7, 5, 3,
]

/** The numeric hash: each byte times a prime that depends on its place, summed. */
export function numericHash(first: number, second: number | undefined, subject: Text): Outcome {
  if (first < 1) return retaint('0', subject)
  if (second !== undefined && second < 1) return failure(`nhash: "${second}" is not a positive number`)
  let total = 0n
  let place = 0
  for (const char of textOf(subject)) {
    total += BigInt((primes[place % primes.length] ?? 0) * char.charCodeAt(0))
    place++
  }
  if (second === undefined) return String(total % BigInt(first))
  const all = total % (BigInt(first) * BigInt(second))
  return `${all / BigInt(second)}/${all % BigInt(second)}`
}
