/** Comparators and match types. Source: RFC 5228 sections 2.7.1 and 2.7.3, RFC 4790. */
import type { ByteString } from '../../../../base/text.ts'

export type Comparator = 'i;octet' | 'i;ascii-casemap' | 'i;ascii-numeric'
export type MatchType = 'is' | 'contains' | 'matches'

export function isComparator(name: string): name is Comparator {
  return name === 'i;octet' || name === 'i;ascii-casemap' || name === 'i;ascii-numeric'
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

function asciiLower(text: ByteString): ByteString {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** RFC 4790 section 9.1: what does not begin with a digit is positive infinity. */
function numericOf(text: ByteString): string {
  const digits = /^\d+/.exec(text)?.[0]
  return digits === undefined ? 'infinity' : digits.replace(/^0+(?=\d)/, '')
}

/** `*` and `?`, backslash before either for itself. Time grows with the product of the lengths at most. */
export function wildMatch(text: ByteString, pattern: ByteString): boolean {
  const tokens = tokensOf(pattern)
  let t = 0
  let p = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    const token = tokens[p]
    if (token === '*') {
      star = p++
      mark = t
    } else if (token === '?' || (token !== undefined && token === `=${text[t]}`)) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (tokens[p] === '*') p++
  return p === tokens.length
}

/** Wild tokens as they are, others with an equals sign before them. */
function tokensOf(pattern: ByteString): string[] {
  const tokens: string[] = []
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? ''
    if (char === '\\' && i + 1 < pattern.length) tokens.push(`=${pattern[++i]}`)
    else if (char === '*' || char === '?') {
      if (char !== '*' || tokens.at(-1) !== '*') tokens.push(char)
    } else tokens.push(`=${char}`)
  }
  return tokens
}
