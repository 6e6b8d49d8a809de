/** IP addresses as numbers: parsing, printing, masks, and sets of networks that answer without scanning. */

/** IPv4 is one unsigned 32-bit number, IPv6 eight groups of 16 bits. */
export type IpAddress =
  | { readonly family: 4; readonly value: number }
  | { readonly family: 6; readonly groups: readonly number[] }

/** A network in CIDR notation; bits beyond `length` are zero. */
export interface Network {
  readonly address: IpAddress
  readonly length: number
}

/**
 * Reads an address in its usual text form; undefined when the text is none.
 * IPv4 parts have no leading zeros; IPv6 may end in dotted IPv4 and carry a `%zone`, which is dropped.
 * Source: RFC 4291 section 2.2.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > 80) return undefined
  if (!text.includes(':')) {
    const value = parseIpv4(text)
    return value === undefined ? undefined : { family: 4, value }
  }
  const zone = text.indexOf('%')
  const groups = parseIpv6(zone < 0 ? text : text.slice(0, zone))
  return groups === undefined ? undefined : { family: 6, groups }
}

/** An IPv4 address that came as `::ffff:a.b.c.d` in its own form; others as they are. */
export function unmap(ip: IpAddress): IpAddress {
  if (ip.family === 4) return ip
  const [a, b, c, d, e, mark, high = 0, low = 0] = ip.groups
  if (a || b || c || d || e || mark !== 0xffff) return ip
  return { family: 4, value: ((high << 16) | low) >>> 0 }
}

/** Reads `address/length`, or an address alone as a network of one; undefined when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/')
  const address = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  const most = address.family === 4 ? 32 : 128
  if (slash < 0) return { address, length: most }
  const digits = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits)) return undefined
  const length = Number(digits)
  return length > most ? undefined : { address: maskIp(address, length), length }
}

/** The address with all bits after the first `length` set to zero. */
export function maskIp(ip: IpAddress, length: number): IpAddress {
  if (ip.family === 4) return { family: 4, value: maskIpv4(ip.value, length) }
  return {
    family: 6,
    groups: ip.groups.map((group, index) => {
      const kept = Math.min(16, Math.max(0, length - 16 * index))
      return group & (0xffff << (16 - kept)) & 0xffff
    }),
  }
}

function maskIpv4(value: number, length: number): number {
  return length === 0 ? 0 : (value & (0xffffffff << (32 - length))) >>> 0
}

/** Dotted quad, or IPv6 in the short form of RFC 5952. */
export function formatIp(ip: IpAddress): string {
  if (ip.family === 4) return formatIpv4(ip.value)
  let bestAt = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let j = i
    while (j < 8 && ip.groups[j] === 0) j++
    if (j - i > bestLength) {
      bestAt = i
      bestLength = j - i
    }
  }
  const hex = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':')
  if (bestAt < 0) return hex(ip.groups)
  return `${hex(ip.groups.slice(0, bestAt))}::${hex(ip.groups.slice(bestAt + bestLength))}`
}

/** IPv6 with all digits, groups joined by `separator`; IPv4 as dotted quad. Used for lookup keys. */
export function formatIpInFull(ip: IpAddress, separator: string = ':'): string {
  if (ip.family === 4) return formatIpv4(ip.value)
  return ip.groups.map((group) => group.toString(16).padStart(4, '0')).join(separator)
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/** `2.0.0.127` or 32 nibbles, for DNS lists and PTR names. */
export function reverseIp(ip: IpAddress): string {
  if (ip.family === 4) return formatIpv4(ip.value).split('.').reverse().join('.')
  return [...formatIpInFull(ip, '')].reverse().join('.')
}

/** Two addresses are the same one. */
export function sameIp(a: IpAddress, b: IpAddress): boolean {
  if (a.family === 4 || b.family === 4) return a.family === 4 && b.family === 4 && a.value === b.value
  return a.groups.every((group, index) => group === b.groups[index])
}

function parseIpv4(text: string): number | undefined {
  let value = 0
  let part = -1
  let parts = 0
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? 46 : text.charCodeAt(i)
    if (code === 46) {
      if (part < 0 || ++parts > 4) return undefined
      value = value * 256 + part
      part = -1
    } else if (code >= 48 && code <= 57 && part !== 0) {
      part = (part < 0 ? 0 : part * 10) + code - 48
      if (part > 255) return undefined
    } else return undefined
  }
  return parts === 4 ? value : undefined
}

function parseIpv6(text: string): number[] | undefined {
  const gap = text.indexOf('::')
  if (gap < 0) {
    const groups = parseGroups(text)
    return groups?.length === 8 ? groups : undefined
  }
  const head = parseGroups(text.slice(0, gap))
  const tail = parseGroups(text.slice(gap + 2))
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const words = text.split(':')
  const groups: number[] = []
  for (const [index, word] of words.entries()) {
    if (index === words.length - 1 && word.includes('.')) {
      const value = parseIpv4(word)
      if (value === undefined) return undefined
      groups.push(value >>> 16, value & 0xffff)
    } else if (/^[0-9a-f]{1,4}$/i.test(word)) groups.push(Number.parseInt(word, 16))
    else return undefined
  }
  return groups
}

/**
 * Networks with a value each, found by address at a cost that does not grow with their number: one hash table
 * for each prefix length in use. A network added twice keeps its first value.
 */
export class NetworkMap<V> {
  readonly #ipv4 = new Map<number, Map<number, V>>()
  readonly #ipv6 = new Map<number, Map<string, V>>()

  add(network: Network, value: V): void {
    const { address, length } = network
    if (address.family === 4) addOnce(this.#ipv4, length, address.value, value)
    else addOnce(this.#ipv6, length, groupsKey(address.groups), value)
  }

  /** Values of all networks that hold the address, in no particular order. */
  *find(ip: IpAddress): Generator<V> {
    if (ip.family === 4) {
      for (const [length, table] of this.#ipv4) {
        const value = table.get(maskIpv4(ip.value, length))
        if (value !== undefined) yield value
      }
      return
    }
    for (const [length, table] of this.#ipv6) {
      const masked = maskIp(ip, length)
      const value = masked.family === 6 ? table.get(groupsKey(masked.groups)) : undefined
      if (value !== undefined) yield value
    }
  }
}

function addOnce<K, V>(tables: Map<number, Map<K, V>>, length: number, key: K, value: V): void {
  let table = tables.get(length)
  if (table === undefined) {
    table = new Map()
    tables.set(length, table)
  }
  if (!table.has(key)) table.set(key, value)
}

/** Eight UTF-16 units: a string is the cheapest key of 128 bits. */
function groupsKey(groups: readonly number[]): string {
  return String.fromCharCode(...groups)
}
