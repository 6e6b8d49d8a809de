/** `$h_name:` and its kin. Source: Exim manual, "Expansion items", `$header_`. */
import { taint, type ByteString, type Text } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { headerBody, headerHasName, isAddressHeader } from '../../mail/header.ts'
import { decodeWords } from '../../mail/rfc2047.ts'
import type { Context } from '../../ports.ts'
import { quoteItem } from './evaluate.ts'
import type { HeaderForm } from './tree.ts'

/** Most bytes of all headers of one name together. */
const longest = 65536

export function headersNamed(name: ByteString, context: Context): Header[] {
  const lower = name.toLowerCase()
  return (context.message?.headers ?? []).filter(
    (header) => header.type !== '*' && headerHasName(header, lower),
  )
}

/** The text of all headers of a name; from outside, therefore tainted. */
export function headerValue(form: HeaderForm, name: ByteString, context: Context): Text {
  const headers = headersNamed(name, context)
  if (headers.length === 0) return ''
  const origin = `$${form === 'h' ? 'h' : form}_${name}:`
  const bodies = headers.map((header) => headerBody(header))
  if (form === 'rh') return taint(bodies.join('').slice(0, longest), origin)
  if (form === 'lh') {
    const items = bodies.map((body) => body.replace(/\n$/, ''))
    const list = items.reduce((all, item) => (all === '' ? '' : `${all}:`) + quoteItem(item, ':'), '')
    return taint(list.slice(0, longest), origin)
  }
  const separator = isAddressHeader(name) ? ',\n' : '\n'
  const raw = bodies
    .map((body) => body.trim())
    .filter((body) => body !== '')
    .join(separator)
    .slice(0, longest)
  if (!raw.includes('=?')) return taint(raw, origin)
  return taint(decoded(raw, form === 'h', context), origin)
}

/** Encoded words replaced; where one has a character set that is not known, all stays as it is, as with Exim since November 2026. */
export function decoded(text: ByteString, convert: boolean, context: Context): ByteString {
  const { headers_charset: charset, check_rfc2047_length: checkLength } = context.settings
  const found = decodeWords(text, { charset: convert ? charset : undefined, checkLength })
  return 'error' in found ? text : found.text
}
