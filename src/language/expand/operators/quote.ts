/** Quoting for headers, regular expressions, logs. */
import { quotedLocalPart } from '../../../mail/address.ts'
import type { ByteString } from '../../../base/text.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

const letters: Readonly<Record<string, string>> = {
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\v': 'v',
}

/** A byte as an escape for people: `\n`, `\t`, `\303`. */
export function octal(char: string): string {
  const letter = letters[char]
  if (letter !== undefined) return `\\${letter}`
  return `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
}

/** Line ends and other control characters as escapes, and bytes above 126 in octal unless `print_topbitchars` is set. */
export function visible(text: ByteString, topbit: boolean): ByteString {
  return text.replace(topbit ? /[\x00-\x08\x0a-\x1f\x7f]/g : /[\x00-\x08\x0a-\x1f\x7f-\xff]/g, octal)
}

export const quoting: readonly OperatorRow[] = [
  textOperator({
    name: 'escape',
    doc: 'Makes non-printing characters visible.',
    since: '0.1',
    manual,
    convert: (text, { context }) => visible(text, context.settings.print_topbitchars),
  }),
  textOperator({
    name: 'escape8bit',
    doc: 'Makes bytes above 126 and backslashes visible.',
    since: '0.1',
    manual,
    convert: (text) =>
      text.replace(/[\\\x7f-\xff]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`),
  }),
  textOperator({
    name: 'hexquote',
    doc: 'Writes spaces and non-printing characters as \\xNN.',
    since: '0.1',
    manual,
    convert: (text) =>
      text.replace(/[^!-~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`),
  }),
  textOperator({
    name: 'quote',
    doc: 'Puts a string in double quotes when it holds more than letters, digits, dots, underscores and hyphens.',
    since: '0.1',
    manual,
    convert(text) {
      if (/^[A-Za-z0-9_.-]+$/.test(text)) return text
      const inner = text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
      return `"${inner}"`
    },
  }),
  textOperator({
    name: 'quote_local_part',
    doc: 'Puts a local part in double quotes where addresses need that.',
    since: '0.1',
    manual,
    convert: (text) => quotedLocalPart(text).replaceAll('\n', '\\n').replaceAll('\r', '\\r'),
  }),
  textOperator({
    name: 'rxquote',
    doc: 'Puts a backslash before everything that is special in regular expressions.',
    since: '0.1',
    manual,
    convert: (text) => text.replace(/[^A-Za-z0-9]/g, '\\$&'),
  }),
]
