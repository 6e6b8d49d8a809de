/** Unicode: UTF-8 checks and domains in their ASCII form. */
import { domainToASCII, domainToUnicode } from 'node:url'
import { decodeUtf8, encodeUtf8 } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import { fromPunycode, punycode } from '../punycode.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'
import { visible } from './quote.ts'

const manual = 'Expansion operators'

/** One well-formed UTF-8 sequence. RFC 3629 section 4. */
const sequence =
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/y

/** Replaces what is no well-formed sequence, one mark for each sequence that is cut short. */
export function cleanUtf8(text: string, replacement: string): string {
  let result = ''
  let at = 0
  while (at < text.length) {
    sequence.lastIndex = at
    const good = sequence.exec(text)?.[0]
    result += good ?? replacement
    at += good?.length ?? brokenLength(text, at)
  }
  return result
}

/** How many bytes a broken sequence takes: as many as its first byte asks for, but none that is ASCII. */
function brokenLength(text: string, at: number): number {
  const first = text.charCodeAt(at)
  const wanted = first < 0xc2 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  for (let length = 1; length < wanted; length++) {
    const code = text.charCodeAt(at + length)
    if (Number.isNaN(code) || code < 0x80) return length
    if (code > 0xbf) return length + 1
  }
  return wanted
}

/** As Exim reads UTF-8: a first byte says how many follow, whatever these are; a byte that follows none stands for itself. */
function latin1Of(text: string): string {
  let result = ''
  for (let at = 0; at < text.length; at++) {
    const byte = text.charCodeAt(at)
    if (byte < 0xc0) {
      result += text.charAt(at)
      continue
    }
    const more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : byte < 0xf8 ? 3 : byte < 0xfc ? 4 : 5
    const code = more === 1 ? ((byte & 0x1f) << 6) | (text.charCodeAt(at + 1) & 0x3f) : 0x100
    result += code > 0xff ? '_' : String.fromCharCode(code)
    at += more
  }
  return result
}

/** `=41` and `+` escapes of RFC 3461 section 4. */
function decodeXtext(text: string): string {
  return text.replace(/\+([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Label by label, so that what is no label of that form stays as it is. */
function fromAlabels(text: string): string {
  return text
    .split('.')
    .map((label) => {
      if (!/^xn--[a-z0-9-]+$/.test(label)) return label
      const unicode = domainToUnicode(label)
      return unicode === '' ? label : encodeUtf8(unicode)
    })
    .join('.')
}

export const unicodeOperators: readonly OperatorRow[] = [
  textOperator({
    name: 'xtextd',
    doc: 'Decodes xtext.',
    since: '0.1',
    manual: 'Expansion operators',
    convert: decodeXtext,
  }),
  textOperator({
    name: 'from_utf8',
    doc: 'UTF-8 as ISO 8859-1; what it lacks becomes an underscore.',
    since: '0.1',
    manual,
    convert: latin1Of,
  }),
  textOperator({
    name: 'utf8clean',
    doc: 'Replaces bytes that are no UTF-8 by question marks.',
    since: '0.1',
    manual,
    convert: (text) => cleanUtf8(text, '?'),
  }),
  textOperator({
    name: 'utf8_domain_from_alabel',
    doc: 'A domain from its ASCII form (xn--) to UTF-8.',
    since: '0.1',
    manual,
    convert: fromAlabels,
  }),
  textOperator({
    name: 'utf8_domain_to_alabel',
    doc: 'A domain in UTF-8 to its ASCII form (xn--).',
    since: '0.1',
    manual,
    convert(text) {
      // What is ASCII stays: Node's function would make a network address of `10`, and undo percent signs.
      if (/^[\x00-\x7f]*$/.test(text)) return text
      const ascii = /[%/?#@:\s]/.test(text) ? '' : domainToASCII(decodeUtf8(text))
      return ascii === '' && text !== ''
        ? failure(`error converting utf8 (${visible(text, false)}) to alabel: string encoding error`)
        : ascii
    },
  }),
  textOperator({
    name: 'utf8_localpart_from_alabel',
    doc: 'A local part from its ASCII form (xn--) to UTF-8.',
    since: '0.1',
    manual,
    convert(text) {
      if (!text.startsWith('xn--'))
        return failure(`error converting alabel (${visible(text, false)}) to utf8: bad alabel prefix`)
      const unicode = fromPunycode(text.slice(4))
      return unicode === undefined
        ? failure(`error converting alabel (${visible(text, false)}) to utf8: Invalid input`)
        : encodeUtf8(unicode)
    },
  }),
  textOperator({
    name: 'utf8_localpart_to_alabel',
    doc: 'A local part in UTF-8 to its ASCII form (xn--).',
    since: '0.1',
    manual,
    convert(text) {
      if (!/[\x80-\xff]/.test(text)) return text
      const unicode = decodeUtf8(text)
      // What is no UTF-8 has become something else.
      return encodeUtf8(unicode) === text
        ? `xn--${punycode(unicode)}`
        : failure(`error converting utf8 (${visible(text, false)}) to alabel: l_u2a: bad UTF-8 input`)
    },
  }),
]
