/** Headers of a message: names, bodies, folding. Source: RFC 5322 section 2.2. */
import type { ByteString } from '../base/text.ts'
import type { Header } from './envelope.ts'

/**
 * The name of a header, as it is written; undefined when the line is none. Bytes beyond ASCII, which RFC 5322
 * forbids, make no other kind of line of it: `verify = header_names_ascii` is there to refuse them.
 */
export function headerName(text: ByteString): ByteString | undefined {
  return /^([!-9;-~\x80-\xff]+)[ \t]*:/.exec(text)?.[1]
}

/** What follows the colon, line ends included. */
export function headerBody(header: Pick<Header, 'text'> | ByteString): ByteString {
  const text = typeof header === 'string' ? header : header.text
  return text.slice(text.indexOf(':') + 1)
}

/** True when the header has this name, given in small letters. */
export function headerHasName(header: Pick<Header, 'text'>, lowerName: ByteString): boolean {
  const { text } = header
  const { length } = lowerName
  if (text.slice(0, length).toLowerCase() !== lowerName) return false
  return /^[ \t]*:/.test(text.slice(length, length + 20))
}

/** The body on one line, outer white space gone. RFC 5322 section 2.2.3. */
export function unfold(body: ByteString): ByteString {
  return body.replace(/\r?\n(?=[ \t])/g, '').trim()
}

const addressHeaders = new Set([
  'bcc',
  'cc',
  'from',
  'reply-to',
  'resent-bcc',
  'resent-cc',
  'resent-from',
  'resent-reply-to',
  'resent-sender',
  'resent-to',
  'sender',
  'to',
])

/** True for headers whose body is a list of addresses. */
export function isAddressHeader(name: ByteString): boolean {
  return addressHeaders.has(name.toLowerCase())
}

const typeLetters: Readonly<Record<string, string>> = {
  bcc: 'B',
  cc: 'C',
  from: 'F',
  'message-id': 'I',
  received: 'P',
  'reply-to': 'R',
  sender: 'S',
  to: 'T',
  'resent-bcc': 'B',
  'resent-cc': 'C',
  'resent-from': 'F',
  'resent-message-id': 'I',
  'resent-sender': 'S',
  'resent-to': 'T',
}

/** Exim's type letter of a header; a space for names without one. Source: Exim manual, "Format of the -H file". */
export function headerType(text: ByteString): string {
  return typeLetters[headerName(text)?.toLowerCase() ?? ''] ?? ' '
}

/** True when the header has this name, in any case. */
export function isNamed(header: Pick<Header, 'text'>, name: ByteString): boolean {
  return headerHasName(header, name.toLowerCase())
}

/** A header with its type letter, from its complete text. */
export function makeHeader(text: ByteString): Header {
  return { type: headerType(text), text }
}

/**
 * True when a line can begin a header. A name is missing before some colons, which RFC 5322 section 2.2 forbids: such a
 * line is passed on among the headers, as Exim does, so that those after it stay headers.
 */
export function beginsHeader(line: ByteString): boolean {
  return line[0] === ':' || headerName(line) !== undefined
}

/** A header without lines of white space at its end, as Exim keeps it. */
export function withoutBlankEnd(header: Header): Header {
  const { text } = header
  let end = text.length
  for (;;) {
    const before = text.lastIndexOf('\n', end - 2)
    if (before < 0 || !/^[ \t]*$/.test(text.slice(before + 1, end - 1))) break
    end = before + 1
  }
  return end === text.length ? header : { type: header.type, text: text.slice(0, end) }
}

/** The headers of a header section with LF line ends; folded lines stay with theirs. */
export function splitHeaders(section: ByteString): Header[] {
  const headers: Header[] = []
  for (const match of section.matchAll(/[^\n]*\n(?:[ \t][^\n]*\n)*|[^\n]+$/g))
    headers.push(makeHeader(match[0]))
  return headers
}
