/**
 * Mail addresses as values. Parsing of RFC 5322 and RFC 5321 forms.
 * An address in Postern's hands is `local@domain` in bytes, unquoted route removed, as Exim keeps it.
 */
import type { ByteString } from '../base/text.ts'

/** Splits at the last `@`; a bare local part has an empty domain. */
export function splitAddress(address: ByteString): { localPart: ByteString; domain: ByteString } {
  const at = address.lastIndexOf('@')
  return at < 0
    ? { localPart: address, domain: '' }
    : { localPart: address.slice(0, at), domain: address.slice(at + 1) }
}
