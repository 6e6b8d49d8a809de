/** `mailto:` of a notification. Source: RFC 5436, RFC 6068. */
import type { ByteString } from '../../../../base/text.ts'
import { parseAddressList } from '../../../../mail/address.ts'

export interface Mailto {
  readonly to: readonly ByteString[]
  readonly subject: ByteString | undefined
  readonly body: ByteString | undefined
  /** Further header lines. */
  readonly headers: readonly ByteString[]
}

/** Headers that a notification must not set: RFC 5436 section 2.3, and those that would forge. */
const fixed = new Set([
  'from',
  'sender',
  'to',
  'cc',
  'bcc',
  'subject',
  'body',
  'auto-submitted',
  'received',
  'date',
  'message-id',
  'return-path',
  'mime-version',
])

export function isMailto(uri: ByteString): boolean {
  return readMailto(uri) !== undefined
}

/** Undefined: not a mailto URI that can be used. */
export function readMailto(uri: ByteString): Mailto | undefined {
  const match = /^mailto:([^?]*)(?:\?(.*))?$/is.exec(uri)
  if (match === null) return undefined
  const to: ByteString[] = []
  const headers: ByteString[] = []
  let subject: ByteString | undefined
  let body: ByteString | undefined
  if (!addTo(match[1] ?? '', to)) return undefined
  for (const pair of (match[2] ?? '').split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const name = decoded(pair.slice(0, Math.max(at, 0)))
    const value = decoded(pair.slice(at + 1))
    if (at <= 0 || name === undefined || value === undefined) return undefined
    const lower = name.toLowerCase()
    if (lower === 'to') {
      if (!addList(value, to)) return undefined
    } else if (lower === 'subject') subject = value.replaceAll(/\s*[\r\n]+\s*/g, ' ')
    else if (lower === 'body') body = value.replaceAll('\r\n', '\n')
    else if (!fixed.has(lower) && /^[!-9;-~]+$/.test(name) && !/[\r\n\0]/.test(value)) {
      headers.push(`${name}: ${value}`)
    }
  }
  return to.length === 0 ? undefined : { to, subject, body, headers }
}

function addTo(text: ByteString, to: ByteString[]): boolean {
  if (text === '') return true
  const list = decoded(text)
  return list !== undefined && addList(list, to)
}

function addList(list: ByteString, to: ByteString[]): boolean {
  for (const one of parseAddressList(list)) {
    if (!('address' in one) || !one.address.includes('@')) return false
    to.push(one.address)
  }
  return true
}

function decoded(text: ByteString): ByteString | undefined {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
