/** Encodes the words of a whole address item (flag `w`) for a header. Source: RFC 2047; Exim manual, flag "w". */
import type { ByteString } from '../../../base/text.ts'

/** Longest encoded word: RFC 2047 section 2. */
const longestWord = 75

/** Bytes below 32 (but tab) and above 126 outside angle brackets make their stretch an encoded word. */
export function encodePhrase(item: ByteString, charset: string): ByteString {
  const open = item.lastIndexOf('<')
  if (open < 0) return item
  const phrase = item.slice(0, open).trimEnd()
  if (!/[^\t\x20-\x7e]/.test(phrase)) return item
  return `${encodeWords(phrase.replace(/^"(.*)"$/s, '$1'), charset)} ${item.slice(open)}`
}

function encodeWords(text: ByteString, charset: string): ByteString {
  const head = `=?${charset}?Q?`
  const words: string[] = []
  let word = ''
  for (const byte of text) {
    const encoded = encodeByte(byte)
    if (head.length + word.length + encoded.length + 2 > longestWord) {
      words.push(`${head}${word}?=`)
      word = ''
    }
    word += encoded
  }
  words.push(`${head}${word}?=`)
  return words.join('\n ')
}

/** In a phrase only these stand for themselves: RFC 2047 section 5 (3). */
function encodeByte(byte: string): string {
  if (byte === ' ') return '_'
  if (/[A-Za-z0-9!*+/-]/.test(byte)) return byte
  return `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
