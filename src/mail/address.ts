/**
 * Mail addresses as values. Parsing of RFC 5322 and RFC 5321 forms.
 * An address in Postern's hands is `local@domain` in bytes, unquoted route removed, as Exim keeps it.
 */
import type { ByteString } from '../base/text.ts'
import { endOfAddress, parseAddress } from './parse-address.ts'

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
export function parseAddressList(text: ByteString): ListedAddress[] {
  const found: ListedAddress[] = []
  let at = 0
  while (at < text.length && found.length < mostAddresses) {
    const end = endOfAddress(text, at, false)
    const item = text.slice(at, end)
    at = end + 1
    // A group begins with its name and a colon and ends with a semicolon: RFC 5322 section 3.4.
    const inside = item.replace(/^\s*(?:"(?:[^"\\]|\\.)*"|[^"<@:;()]*):/, '').replace(/;\s*$/, '')
    if (/^[\s:;]*$/.test(inside)) continue
    const parsed = parseAddress(inside)
    found.push(
      parsed.is === 'address' ? { address: parsed.address } : { error: parsed.message, text: item.trim() },
    )
  }
  return found
}
