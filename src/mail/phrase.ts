/** The name before an address. Source: RFC 5322 section 3.2.5. */
import type { ByteString } from '../base/text.ts'

/** Quoted strings and comments within a name, which may stay, and what stands between them. */
const pieces = /"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)|[^"()]+|["()]/g
const atoms = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*$/

/** A name as it may stand before an address: quoted or encoded where it must be; what is quoted already stays. */
export function phrase(name: ByteString): ByteString {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bytes that need encoding
  if (/[^\x20-\x7e]/.test(name)) return encodedWord(name)
  const parts = name.trim().match(pieces) ?? []
  const between = parts.filter((part) => !/^["(]./.test(part))
  if (between.every((part) => atoms.test(part))) return parts.join('')
  const isWhole = !parts.some((part) => /^".*"$/.test(part)) || between.some((part) => /^["()]$/.test(part))
  if (isWhole) return quoted(parts.join(''))
  return parts.map((part) => (between.includes(part) ? part.replace(/[^ ]+/g, word) : part)).join('')
}

function word(text: ByteString): ByteString {
  return atoms.test(text) ? text : quoted(text)
}

function quoted(text: ByteString): ByteString {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** Source: RFC 2047 section 4.2 and 5. */
function encodedWord(name: ByteString): ByteString {
  let text = ''
  for (const char of name) {
    if (char === ' ') text += '_'
    else if (/[A-Za-z0-9!*+/-]/.test(char)) text += char
    else text += `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  }
  return `=?UTF-8?Q?${text}?=`
}
