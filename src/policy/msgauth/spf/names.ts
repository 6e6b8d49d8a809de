/** Domain names as SPF meets them: often written by strangers. Sources: RFC 7208 section 4.3; RFC 8616 section 4. */
import { asciiDomain } from '../../../mail/ascii-domain.ts'

export { asciiDomain }

/** True when a name is worth asking the DNS for: several labels, none empty or too long, printable ASCII. */
export function isAskable(name: string): boolean {
  if (name.length > 253 || name.startsWith('[') || !/^[\x20-\x7e]+$/.test(name)) return false
  const labels = name.split('.')
  return labels.length > 1 && labels.every((label) => label.length > 0 && label.length <= 63)
}

/** `postmaster` stands in for a missing local part: section 4.3. */
export function splitSender(sender: string): { readonly localPart: string; readonly domain: string } {
  const at = sender.lastIndexOf('@')
  const localPart = at > 0 ? sender.slice(0, at) : 'postmaster'
  return { localPart, domain: asciiDomain(sender.slice(at + 1)) }
}
