/**
 * Mail addresses as values. Parsing of RFC 5322 and RFC 5321 forms.
 * An address in Postern's hands is `local@domain` in bytes, unquoted route removed, as Exim keeps it.
 */
import type { ByteString } from '../base/text.ts'
import { endOfAddress, parseAddress, type ParseAddressOptions } from './parse-address.ts'

/** Splits at the last `@`; a bare local part has an empty domain. */
export function splitAddress(address: ByteString): { localPart: ByteString; domain: ByteString } {
  const at = address.lastIndexOf('@')
  return at < 0
    ? { localPart: address, domain: '' }
    : { localPart: address.slice(0, at), domain: address.slice(at + 1) }
}

/** A local part without its quotes and backslashes: what variables, lists and file names see, as in Exim. */
export function unquotedLocalPart(localPart: ByteString): ByteString {
  return /["\\]/.test(localPart) ? localPart.replace(/\\(.)|"/gs, '$1') : localPart
}

const dotAtom = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/

/** A local part in double quotes where RFC 5322 demands them. */
export function quotedLocalPart(text: ByteString): ByteString {
  if (dotAtom.test(text)) return text
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

export type ListedAddress =
  | { readonly address: ByteString }
  | { readonly error: string; readonly text: ByteString }

/** Most addresses of one list. */
const mostAddresses = 100_000

/**
 * The addresses of a header such as To:, in order; group names are dropped.
 * Source: RFC 5322 section 3.4.
 */
export function parseAddressList(text: ByteString, options: ParseAddressOptions = {}): ListedAddress[] {
  const found: ListedAddress[] = []
  let at = 0
  let inGroup = false
  while (at < text.length && found.length < mostAddresses) {
    const end = endOfAddress(text, at, false)
    let item = text.slice(at, end)
    at = end + 1
    // A group begins with its name and a colon and ends with a semicolon: RFC 5322 section 3.4.
    if (!inGroup) {
      const name = /^\s*(?:"(?:[^"\\]|\\.)*"|[^"<@:;()]*):/.exec(item)?.[0] ?? ''
      inGroup = name !== ''
      item = item.slice(name.length)
    }
    const close = inGroup ? endOfAddress(item, 0, false, true) : item.length
    const inside = item.slice(0, close)
    const closes = close < item.length
    if (/^[\s:;]*$/.test(inside)) {
      if (closes) inGroup = false
      continue
    }
    const parsed = parseAddress(inside, options)
    // What stands between the end of a group and the next comma is passed over, as Exim does.
    if (closes) inGroup = false
    found.push(
      parsed.is === 'address' ? { address: parsed.address } : { error: parsed.message, text: item.trim() },
    )
  }
  return found
}
