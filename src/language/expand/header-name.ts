/** Names of headers in expansions: `$h_subject:`. Source: Exim manual, "Expansion items". */
import type { ByteString } from '../../base/text.ts'
import type { Reader } from './reader.ts'
import type { HeaderForm } from './tree.ts'

const headerStart = /^(h|rh|bh|lh|header|rheader|bheader|lheader)_/

/**
 * A header's name runs to a colon, which is consumed, or to white space or a control character.
 * `from` is where the prefix begins; the position ends behind the name.
 */
export function readHeaderName(
  reader: Reader,
  from: number,
): { form: HeaderForm; name: ByteString } | undefined {
  const { text } = reader
  const prefix = headerStart.exec(text.slice(from, from + 8))
  if (prefix === null) return undefined
  let at = from + prefix[0].length
  const start = at
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === 58 || code <= 32) break
    at++
  }
  const name = text.slice(start, at)
  if (text.charAt(at) !== ':' && name.includes('}')) reader.headerWithBrace = { start, end: at }
  reader.position = text.charAt(at) === ':' ? at + 1 : at
  const letter = (prefix[1] ?? 'h').charAt(0)
  const form = letter === 'r' ? 'rh' : letter === 'b' ? 'bh' : letter === 'l' ? 'lh' : 'h'
  return { form, name }
}
