/** Encoded words in headers. Source: RFC 2047. */
import iconv from 'iconv-lite'
import { fromBytes, toBytes, type ByteString } from '../base/text.ts'

const encodedWord = /=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([!->@-~ ]*?)\?=/g

/** RFC 2047 section 2: longer ones are none, unless the configuration says otherwise. */
const longestWord = 75

/**
 * Decodes encoded words; what is none stays as it is. Zero bytes become question marks.
 * Without a charset the bytes are given as they are in the words.
 */
export function decodeWords(
  text: ByteString,
  options: { readonly charset: string | undefined; readonly checkLength: boolean },
): { readonly text: ByteString } | { readonly error: string } {
  let result = ''
  let copied = 0
  for (const match of text.matchAll(encodedWord)) {
    const [whole, charset = '', encoding = '', body = ''] = match
    if (options.checkLength && whole.length > longestWord) continue
    const bytes = encoding.toUpperCase() === 'B' ? decodeB(body) : decodeQ(body)
    if (bytes === undefined) continue
    const between = text.slice(copied, match.index)
    // White space between two encoded words is not shown: RFC 2047 section 6.2.
    if (copied === 0 || !/^\s*$/.test(between)) result += between
    const converted = convert(bytes, charset, options.charset)
    if (converted === undefined) {
      return {
        error: `iconv_open("${options.charset ?? ''}", "${charset}") failed: Invalid argument (maybe unsupported conversion)`,
      }
    }
    result += converted.replaceAll('\0', '?')
    copied = match.index + whole.length
  }
  return { text: result + text.slice(copied) }
}

function decodeB(body: string): ByteString | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body)) return undefined
  return fromBytes(Buffer.from(body, 'base64'))
}

function decodeQ(body: string): ByteString | undefined {
  if (/=(?![0-9A-Fa-f]{2})/.test(body)) return undefined
  return body
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function convert(bytes: ByteString, from: string, to: string | undefined): ByteString | undefined {
  if (to === undefined || from.toLowerCase() === to.toLowerCase()) return bytes
  if (!iconv.encodingExists(from) || !iconv.encodingExists(to)) return undefined
  return fromBytes(iconv.encode(iconv.decode(toBytes(bytes), from), to))
}

/** Encodes text for a header when it needs it, in words of at most 75 characters. RFC 2047 section 5 (3). */
export function encodeWords(text: ByteString, charset: string): ByteString {
  // Exim leaves text alone that has only printing characters and none of the specials of phrases.
  if (!/[^ -~]|[?=()<>@,;:\\".[\]_]/.test(text)) return text
  const head = `=?${charset}?Q?`
  let result = head
  let length = head.length
  for (const char of charactersOf(text, charset)) {
    const coded = char.split('').map(encodeQ).join('')
    if (length + coded.length > longestWord - 2) {
      result += `?=\n ${head}`
      length = head.length
    }
    result += coded
    length += coded.length
  }
  return `${result}?=`
}

/** A multi-byte character must not be split between words: RFC 2047 section 5. */
function charactersOf(text: ByteString, charset: string): Iterable<string> {
  if (!/^utf-?8$/i.test(charset)) return text
  return text.match(/[\xc0-\xff][\x80-\xbf]+|[\s\S]/g) ?? []
}

function encodeQ(char: string): string {
  if (char === ' ') return '_'
  if (/^[A-Za-z0-9!*+\-/]$/.test(char)) return char
  return `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
