/** Comparators and match types. Source: RFC 5228 sections 2.7.1 and 2.7.3, RFC 4790. */
import { asciiLower, type ByteString } from '../../../../base/text.ts'
import { SieveError } from './grammar.ts'

export type Comparator = 'i;octet' | 'i;ascii-casemap' | 'en;ascii-casemap' | 'i;ascii-numeric'
export type MatchType = 'is' | 'contains' | 'matches'

export function isComparator(name: string): name is Comparator {
  return (
    name === 'i;octet' ||
    name === 'i;ascii-casemap' ||
    name === 'en;ascii-casemap' ||
    name === 'i;ascii-numeric'
  )
}

export function compare(
  value: ByteString,
  key: ByteString,
  match: MatchType,
  comparator: Comparator,
): boolean {
  if (comparator === 'i;ascii-numeric') return numericOf(value) === numericOf(key)
  const [left, right] = comparator === 'i;octet' ? [value, key] : [asciiLower(value), asciiLower(key)]
  switch (match) {
    case 'is':
      return left === right
    case 'contains':
      return left.includes(right)
    case 'matches':
      return wildMatch(left, right)
  }
}

/** RFC 4790 section 9.1: what does not begin with a digit is positive infinity. */
function numericOf(text: ByteString): string {
  const digits = /^\d+/.exec(text)?.[0]
  return digits === undefined ? 'infinity' : digits.replace(/^0+(?=\d)/, '')
}

/** `*` and `?`, backslash before either for itself. Each piece between stars is found at its first place: none is tried again. */
export function wildMatch(text: ByteString, pattern: ByteString): boolean {
  const pieces = piecesOf(pattern)
  const [first, ...others] = pieces
  const last = others.pop()
  if (first === undefined) return text === ''
  if (last === undefined) return first.length === text.length && fits(text, 0, first)
  const end = text.length - last.length
  if (end < first.length || !fits(text, 0, first) || !fits(text, end, last)) return false
  const middle = text.slice(0, end)
  let at = first.length
  for (const piece of others) {
    const found = find(middle, piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return true
}

/** What stands between stars: bytes, undefined for any one. */
type Piece = readonly (string | undefined)[]

function piecesOf(pattern: ByteString): Piece[] {
  const pieces: (string | undefined)[][] = [[]]
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]
    if (char === '*') pieces.push([])
    else if (char === '\\' && i + 1 < pattern.length) pieces.at(-1)?.push(pattern[++i])
    else pieces.at(-1)?.push(char === '?' ? undefined : char)
  }
  return pieces
}

function fits(text: ByteString, at: number, piece: Piece): boolean {
  return piece.every((char, i) => char === undefined || char === text[at + i])
}

/** Longest literal that the built-in search looks for: its worst case is the product of the lengths. */
const shortLiteral = 16
/** Comparisons of bytes in one search with `?`; a few milliseconds. */
const mostSteps = 5_000_000

/** The first place of a piece from `from` on; -1: none. */
function find(text: ByteString, piece: Piece, from: number): number {
  const literal = piece.every((char) => char !== undefined) ? piece.join('') : undefined
  if (literal === undefined) return findWild(text, piece, from)
  return literal.length <= shortLiteral ? text.indexOf(literal, from) : findLong(text, literal, from)
}

function findWild(text: ByteString, piece: Piece, from: number): number {
  let steps = 0
  for (let at = from; at + piece.length <= text.length; at++) {
    let i = 0
    while (i < piece.length && (piece[i] === undefined || piece[i] === text[at + i])) i++
    if (i === piece.length) return at
    steps += i + 1
    if (steps > mostSteps) throw new SieveError('matching takes too long', 0)
  }
  return -1
}

/** Knuth, Morris and Pratt: no byte of the text is looked at again. */
function findLong(text: ByteString, literal: ByteString, from: number): number {
  const wanted = Uint8Array.from(literal, (char) => char.charCodeAt(0))
  const back = new Uint32Array(wanted.length)
  for (let i = 1, k = 0; i < wanted.length; i++) {
    while (k > 0 && wanted[i] !== wanted[k]) k = back[k - 1] ?? 0
    if (wanted[i] === wanted[k]) k++
    back[i] = k
  }
  for (let i = from, k = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i)
    while (k > 0 && byte !== wanted[k]) k = back[k - 1] ?? 0
    if (byte === wanted[k]) k++
    if (k === wanted.length) return i - k + 1
  }
  return -1
}
