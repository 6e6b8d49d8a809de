/** Names that may be asked, and names of the reverse tree. */
import { formatIp, parseIp, reverseIp } from '../../base/ip.ts'

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
  const ip = parseIp(address)
  if (ip === undefined) return undefined
  return `${reverseIp(ip)}.${ip.version === 4 ? 'in-addr' : 'ip6'}.arpa`
}

/**
 * The names that one of the configuration may be short for, in the order the resolver library asks for them: a single
 * label is completed before it is asked for as it is. Source: Exim manual, "qualify_single", "search_parents".
 */
export function completedNames(
  name: string,
  wanted: { readonly single: boolean; readonly parents: boolean },
  search: readonly string[],
): string[] {
  if (name.endsWith('.')) return [name]
  const completed = search.map((parent) => `${name}.${parent}`)
  const single = !name.includes('.') && wanted.single ? completed.slice(0, 1) : []
  return [...new Set([...single, name, ...(wanted.parents ? completed : [])])]
}

/** True when two addresses are the same, however they are written. */
export function sameAddress(a: string, b: string): boolean {
  const x = parseIp(a)
  const y = parseIp(b)
  return x !== undefined && y !== undefined && formatIp(x) === formatIp(y)
}
