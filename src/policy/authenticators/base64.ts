/** Base 64 as AUTH carries it. Source: RFC 4954 section 4, RFC 4648 section 4. */
import { type ByteString, fromBytes, toBytes } from '../../base/text.ts'

export function encodeBase64(text: ByteString): string {
  return toBytes(text).toString('base64')
}

/** Undefined for what is no base 64. Blanks between the letters are passed over, as Exim does; blanks at the end are not. */
export function decodeBase64(text: string): ByteString | undefined {
  if (/[ \t]$/.test(text)) return undefined
  const letters = text.replace(/[ \t]/g, '')
  if (letters.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(letters)) return undefined
  if (letters.startsWith('=')) return undefined
  return fromBytes(Buffer.from(letters, 'base64'))
}
