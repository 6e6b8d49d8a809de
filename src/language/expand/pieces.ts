/** Parts and hashes of strings, shared by items (`${hash{..}`) and operators (`${hash_5:..}`). */
import type { Outcome } from '../../base/outcome.ts'
import { retaint, slice, textOf, type Text } from '../../base/text.ts'
import { failure } from './environment.ts'

const hashLetters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQWRSTUVWXYZ0123456789'

/** The offset may be negative: from the end; without a length it then gives what stands before it. */
export function substring(start: number, length: number | undefined, subject: Text): Text {
  const size = textOf(subject).length
  if (start >= 0) return slice(subject, start, length === undefined ? size : start + length)
  const from = size + start
  if (length === undefined) return slice(subject, 0, Math.max(0, from))
  return slice(subject, Math.max(0, from), Math.max(0, from + length))
}

/**
 * The textual hash. The manual gives results only; the rule behind them: characters beyond the wanted length are
 * folded into the first ones, place by place, and each is mapped to a letter.
 */
export function hashText(length: number, letters: number | undefined, subject: Text): Outcome {
  const range = letters ?? 26
  if (range > hashLetters.length) return failure(`hash count "${range}" too big`)
  const text = textOf(subject)
  if (length >= text.length || range === 0) return subject
  return retaint(text.slice(0, length), subject)
}

const primes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113,
]

/** The numeric hash: each byte times a prime that depends on its place, summed. */
export function numericHash(first: number, second: number | undefined, subject: Text): Outcome {
  if (first === 0) return retaint('0', subject)
  let total = 0n
  let place = 0
  for (const char of textOf(subject)) {
    total += BigInt((primes[place % primes.length] ?? 3) * char.charCodeAt(0))
    place++
  }
  if (second === undefined) return String(total % BigInt(first))
  const all = total % BigInt(first * second)
  return `${all / BigInt(second)}/${all % BigInt(second)}`
}
