/**
 * Parameters of Content-Type: and Content-Disposition: as the programs that show mail read them.
 * Source: RFC 2045 section 5.1, RFC 2231 sections 3 and 4, RFC 2047 for what should not be and is.
 */
import type { ByteString } from '../../base/text.ts'
import { decodeWords } from '../rfc2047.ts'

/** More of them in one header are not looked at. */
const mostParameters = 1000

/** The values by name in lower case; of several values of one name all, in order, the one that counts last. */
export type Parameters = ReadonlyMap<string, readonly ByteString[]>

/** What stands before the first semicolon: comments and white space gone, in lower case. */
export function normalized(value: ByteString): ByteString {
  let result = ''
  let depth = 0
  for (const char of value) {
    if (depth === 0 && char === ';') break
    if (char === '(') depth++
    else if (char === ')') depth = Math.max(0, depth - 1)
    else if (depth === 0 && char > ' ' && char !== '\x7f') result += char
  }
  return result.toLowerCase()
}

export function readParameters(value: ByteString): Parameters {
  const plain = new Map<string, ByteString[]>()
  const pieces = new Map<string, Piece[]>()
  for (const { name, text, quoted } of scan(value)) {
    const extended = /^([^*]+)\*(?:(\d{1,4})(\*?))?$/.exec(name)
    const base = extended?.[1]
    if (extended === null || base === undefined) {
      add(plain, name, decodePlain(text))
      continue
    }
    const coded = !quoted && (extended[2] === undefined || extended[3] === '*')
    add(pieces, base, { index: Number(extended[2] ?? 0), text, coded })
  }
  // RFC 2231 is what a program that knows it goes by, wherever it stands.
  for (const [name, list] of pieces) add(plain, name, join(list))
  return plain
}

interface Piece {
  readonly index: number
  readonly text: ByteString
  /** Has percent signs, and before the first a charset and a language. */
  readonly coded: boolean
}

function add<T>(map: Map<string, T[]>, name: string, value: T): void {
  const list = map.get(name)
  if (list === undefined) map.set(name, [value])
  else list.push(value)
}

function join(pieces: readonly Piece[]): ByteString {
  let result = ''
  let first = true
  for (const { text, coded } of pieces.toSorted((a, b) => a.index - b.index)) {
    const body = first && coded ? text.replace(/^[^']*'[^']*'/, '') : text
    result += coded
      ? body.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      : body
    first = false
  }
  return clean(result)
}

function decodePlain(text: ByteString): ByteString {
  if (!text.includes('=?')) return clean(text)
  const decoded = decodeWords(text, { charset: undefined, checkLength: false })
  return clean('text' in decoded ? decoded.text : text)
}

/** Control characters are never shown. */
function clean(text: ByteString): ByteString {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\0-\x1f\x7f]/g, '')
}

interface Scanned {
  readonly name: string
  readonly text: ByteString
  readonly quoted: boolean
}

function scan(value: ByteString): Scanned[] {
  const found: Scanned[] = []
  let at = value.indexOf(';')
  while (at >= 0 && found.length < mostParameters) {
    const equals = value.indexOf('=', at)
    const next = value.indexOf(';', at + 1)
    if (equals < 0) break
    if (next >= 0 && next < equals) {
      at = next
      continue
    }
    const name = value
      .slice(at + 1, equals)
      .trim()
      .toLowerCase()
    let start = equals + 1
    while (/[ \t\n\r]/.test(value[start] ?? '')) start++
    if (value[start] === '"') {
      const { text, end } = quotedString(value, start)
      found.push({ name, text, quoted: true })
      at = value.indexOf(';', end)
    } else {
      const end = value.indexOf(';', start)
      found.push({ name, text: value.slice(start, end < 0 ? value.length : end).trim(), quoted: false })
      at = end
    }
  }
  return found
}

function quotedString(value: ByteString, open: number): { text: ByteString; end: number } {
  let text = ''
  let at = open + 1
  for (; at < value.length && value[at] !== '"'; at++) {
    if (value[at] === '\\' && at + 1 < value.length) at++
    text += value[at] ?? ''
  }
  return { text, end: at }
}
