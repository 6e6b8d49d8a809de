/** Names that may be asked, and names of the reverse tree. */
import { isIPv4, isIPv6 } from 'node:net'

/**
 * What Exim's default `dns_check_names_pattern` lets through: labels of letters, digits, underscore, slash and
 * hyphen that neither begin nor end with slash or hyphen; a dot may follow the last.
 * Source: Exim manual, "dns_check_names_pattern".
 */
const plausible = /^[a-z0-9_](?:[a-z0-9_/-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_/-]*[a-z0-9_])?)*\.?$/i

/** The text of the default, for which no regular expression engine of Exim's is needed. */
export const defaultNamesPattern = String.raw`(?i)^(?>(?(1)\.|())[^\W](?>[a-z0-9/_-]*[^\W])?)+(\.?)$`

export function isPlausibleName(name: string): boolean {
  return name.length <= 254 && plausible.test(name)
}

/** Labels of 1 to 63 octets, 253 in all: RFC 1035 section 2.3.4. Longer ones cannot be asked at all. */
export function fitsTheWire(name: string): boolean {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  if (bare === '') return name === '.'
  if (Buffer.byteLength(bare) > 253) return false
  return bare.split('.').every((label) => label !== '' && Buffer.byteLength(label) <= 63)
}

/** `192.0.2.1` gives `1.2.0.192.in-addr.arpa`; IPv6 gives nibbles below ip6.arpa: RFC 3596 section 2.5. */
export function reverseName(address: string): string | undefined {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const groups = ipv6Groups(address)
  if (groups === undefined) return undefined
  const nibbles = groups.map((group) => group.toString(16).padStart(4, '0')).join('')
  return `${Array.from(nibbles).reverse().join('.')}.ip6.arpa`
}

/** The eight 16-bit groups of an IPv6 address, whatever way it is written; undefined when it is none. */
export function ipv6Groups(address: string): number[] | undefined {
  const bare = address.replace(/%.*$/, '')
  if (!isIPv6(bare)) return undefined
  const [head = '', tail] = bare.split('::')
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const gap = tail === undefined ? 0 : 8 - before.length - after.length
  return [...before, ...Array.from({ length: gap }, () => 0), ...after]
}

function groupsOf(text: string): number[] {
  const groups: number[] = []
  for (const part of text === '' ? [] : text.split(':')) {
    if (!part.includes('.')) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    groups.push(a * 256 + b, c * 256 + d)
  }
  return groups
}

/** True when two addresses are the same, however they are written. */
export function sameAddress(a: string, b: string): boolean {
  if (a === b) return true
  const x = ipv6Groups(a)
  const y = ipv6Groups(b)
  return x !== undefined && y !== undefined && x.every((group, i) => group === y[i])
}
