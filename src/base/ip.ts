/** IP addresses as bytes: reading, writing, masks, networks. Sources: RFC 4291 section 2.2, RFC 5952. */

/** An address of 4 or 16 bytes. */
export interface IpAddress {
  readonly version: 4 | 6
  readonly bytes: Uint8Array
}
export interface IpNetwork extends IpAddress {
  /** Bits that count, from the left. */
  readonly bits: number
}

/** Reads an address; a zone (`%eth0`) is dropped. Undefined when it is none. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.includes(':')) {
    const zone = text.indexOf('%')
    return parseIpv6(zone < 0 ? text : text.slice(0, zone))
  }
  const bytes = parseIpv4(text)
  return bytes && { version: 4, bytes }
}

/** Read digit by digit: it is asked several times a connection. */
function parseIpv4(text: string): Uint8Array | undefined {
  if (text.length < 7 || text.length > 15) return undefined
  const bytes = new Uint8Array(4)
  let part = 0
  let digits = 0
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (digits === 0 || part === 3) return undefined
      bytes[part++] = value
      digits = value = 0
      continue
    }
    const digit = code - 48
    // A leading zero would be octal to some.
    if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return undefined
    value = value * 10 + digit
    digits++
    if (value > 255) return undefined
  }
  if (part !== 3 || digits === 0) return undefined
  bytes[3] = value
  return bytes
}

function parseIpv6(text: string): IpAddress | undefined {
  if (text.length > 45) return undefined
  let body = text
  const tail = /:(\d+\.\d+\.\d+\.\d+)$/.exec(text)?.[1]
  if (tail !== undefined) {
    const four = parseIpv4(tail)
    if (four === undefined) return undefined
    const [a = 0, b = 0, c = 0, d = 0] = four
    body = `${text.slice(0, -tail.length)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const halves = body.split('::')
  if (halves.length > 2) return undefined
  const left = groupsOf(halves[0] ?? '')
  const right = halves.length === 2 ? groupsOf(halves[1] ?? '') : []
  if (left === undefined || right === undefined) return undefined
  const missing = 8 - left.length - right.length
  // The two colons stand for one group at least: RFC 4291 section 2.2.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...left, ...Array.from({ length: missing }, () => 0), ...right]
  const bytes = new Uint8Array(16)
  groups.forEach((group, i) => {
    bytes[i * 2] = group >> 8
    bytes[i * 2 + 1] = group & 255
  })
  return { version: 6, bytes }
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  if (!parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))) return undefined
  return parts.map((part) => Number.parseInt(part, 16))
}

/** The usual short form: IPv6 in lower case, the longest run of zero groups as `::`. */
export function formatIp(address: IpAddress): string {
  if (address.version === 4) return address.bytes.join('.')
  const groups = groupNumbers(address)
  let bestStart = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > bestLength) {
      bestStart = i
      bestLength = end - i
    }
    if (end > i) i = end
  }
  const hex = groups.map((group) => group.toString(16))
  if (bestStart < 0) return hex.join(':')
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`
}

/** The 16-bit groups of an IPv6 address. */
export function groupNumbers(address: IpAddress): number[] {
  const groups: number[] = []
  for (let i = 0; i < address.bytes.length; i += 2) {
    groups.push(((address.bytes[i] ?? 0) << 8) | (address.bytes[i + 1] ?? 0))
  }
  return groups
}

/** An IPv4 address as the IPv6 address that stands for it (`::ffff:192.0.2.1`). */
export function toIpv6(address: IpAddress): IpAddress {
  if (address.version === 6) return address
  const bytes = new Uint8Array(16)
  bytes.set([255, 255], 10)
  bytes.set(address.bytes, 12)
  return { version: 6, bytes }
}

/** An IPv4-mapped IPv6 address as the IPv4 address it stands for; others as they are. */
export function unmapped(address: IpAddress): IpAddress {
  if (address.version === 4) return address
  const mapped = address.bytes.every((byte, i) => (i < 10 ? byte === 0 : i < 12 ? byte === 255 : true))
  return mapped ? { version: 4, bytes: address.bytes.slice(12) } : address
}

/** An address without the IPv6 wrapping of IPv4 ones, in its short form. */
export function plainAddress(address: string | undefined): string | undefined {
  const parsed = address === undefined ? undefined : parseIp(address)
  return parsed === undefined ? undefined : formatIp(unmapped(parsed))
}

/** Clears all bits beyond the first `bits`. */
export function maskIp(address: IpAddress, bits: number): IpAddress {
  const bytes = address.bytes.map((byte, i) => {
    const keep = Math.min(8, Math.max(0, bits - i * 8))
    return byte & (0xff << (8 - keep)) & 0xff
  })
  return { version: address.version, bytes }
}

/** Reads `address` or `address/bits`. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf('/')
  const address = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  const most = address.bytes.length * 8
  if (slash < 0) return { ...address, bits: most }
  const digits = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > most) return undefined
  return { ...address, bits: Number(digits) }
}

/** True when the address lies in the network; addresses of the other version never do. */
export function inNetwork(address: IpAddress, network: IpNetwork): boolean {
  if (address.version !== network.version) return false
  const whole = network.bits >> 3
  for (let i = 0; i < whole; i++) {
    if (address.bytes[i] !== network.bytes[i]) return false
  }
  const rest = network.bits & 7
  if (rest === 0) return true
  const mask = (0xff << (8 - rest)) & 0xff
  return ((address.bytes[whole] ?? 0) & mask) === ((network.bytes[whole] ?? 0) & mask)
}

/** `9.2.0.192` or nibbles: what stands before in-addr.arpa and in block lists. */
export function reverseIp(address: IpAddress): string {
  if (address.version === 4) return [...address.bytes].reverse().join('.')
  const nibbles: string[] = []
  for (const byte of address.bytes) nibbles.push((byte >> 4).toString(16), (byte & 15).toString(16))
  return nibbles.reverse().join('.')
}
