/** String values, plain and quoted. Source: Exim manual, "String values". */
import type { ByteString } from '../../base/text.ts'
import { MappedBuilder, type MappedText, skipSpace } from './mapped.ts'

/** What is wrong with a value: Exim's sentence, the part of the line it is about, and the way out. */
export interface Fault {
  readonly code: string
  readonly message: string
  readonly start: number
  readonly end: number
  readonly help?: string | undefined
}

/** A setting line: the text, where the value starts (behind the `=`), and the name as written. */
export interface ValueSource {
  readonly line: MappedText
  readonly start: number
  readonly name: string
}

export function fault(
  code: string,
  message: string,
  start: number,
  end: number,
  help?: string,
): { fault: Fault } {
  return { fault: { code, message, start, end, help } }
}

const escapes: Readonly<Record<string, ByteString>> = { n: '\n', r: '\r', t: '\t' }

/** The text of a value: what follows as it stands, or what is between double quotes with its escapes undone. */
export function readString({ line, start, name }: ValueSource): MappedText | { readonly fault: Fault } {
  if (line.text[start] !== '"') return line.slice(start)
  const quoted = unquote(line, start)
  if (quoted === undefined) {
    const message = `missing quote at end of string value for ${name}`
    return fault(
      'quote-missing',
      message,
      start,
      line.text.length,
      'the value begins with " and must end with one',
    )
  }
  if (skipSpace(line.text, quoted.end) < line.text.length) {
    const message = `extra characters follow string value for ${name}`
    const help = 'nothing may follow the closing quote; a quote within the value is written \\"'
    return fault('value-extra', message, skipSpace(line.text, quoted.end), line.text.length, help)
  }
  return quoted.text
}

/** Reads a quoted string at `start`; `end` is the offset behind the closing quote. Undefined: there is none. */
export function unquote(line: MappedText, start: number): { text: MappedText; end: number } | undefined {
  const { text } = line
  const builder = new MappedBuilder()
  // An empty string has a place too.
  builder.append(line.slice(start + 1, start + 1))
  let at = start + 1
  while (at < text.length) {
    const special = text.slice(at).search(/["\\]/)
    if (special === -1) return undefined
    builder.append(line.slice(at, at + special))
    at += special
    if (text[at] === '"') return { text: builder.build(), end: at + 1 }
    const escape = /^\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|([^]))/.exec(text.slice(at, at + 4))
    if (escape === null) return undefined
    const [whole, octal, hex, other = ''] = escape
    const code =
      octal !== undefined ? Number.parseInt(octal, 8) : hex !== undefined ? Number.parseInt(hex, 16) : -1
    const character = code >= 0 ? String.fromCharCode(code & 0xff) : (escapes[other] ?? other)
    builder.appendFor(character, line.slice(at, at + whole.length))
    at += whole.length
  }
  return undefined
}
