/** The address that RCPT says. Source: Exim manual, generic transport option "rcpt_include_affixes". */
import type { ByteString } from '../../base/text.ts'
import { quotedLocalPart, splitAddress, unquotedLocalPart } from '../../mail/address.ts'
import type { RoutedAddress } from '../routed.ts'

/** Without affixes unless `rcpt_include_affixes`. */
export function rcptAddress(
  { facts, address, special, recipient }: RoutedAddress,
  settings: { readonly rcpt_include_affixes: boolean },
): ByteString {
  // A pipe or file stands for the recipient that it came from.
  if (special !== undefined) return recipient.address
  const { prefix = '', suffix = '', domain } = facts
  if (settings.rcpt_include_affixes || (prefix === '' && suffix === '')) return address
  // In the letters of the message: `$local_part` may be in lower case.
  const whole = unquotedLocalPart(splitAddress(address).localPart)
  return `${quotedLocalPart(whole.slice(prefix.length, whole.length - suffix.length))}@${domain}`
}
