/** Networks found by address at a cost that does not grow with their number: one table for each prefix length. */
import { type IpAddress, maskIp, parseNetwork } from './ip.ts'

export class NetworkIndex {
  readonly #ipv4 = new Map<number, Map<number, number>>()
  readonly #ipv6 = new Map<number, Map<string, number>>()

  /**
   * Takes an address or network in text form; false when it is none. The first of equal networks counts: lists are
   * read from left to right.
   */
  add(text: string, position: number): boolean {
    const quick = quickIpv4(text)
    if (quick !== undefined) {
      addOnce(this.#ipv4, quick.bits, maskNumber(quick.number, quick.bits), position)
      return true
    }
    const network = parseNetwork(text)
    if (network === undefined) return false
    const { bits } = network
    if (network.version === 4) addOnce(this.#ipv4, bits, maskNumber(numberOf(network.bytes), bits), position)
    else addOnce(this.#ipv6, bits, maskedKey(network, bits), position)
    return true
  }

  /** The least position of a network that holds the address, or Infinity. */
  find(ip: IpAddress): number {
    let best = Number.POSITIVE_INFINITY
    if (ip.version === 4) {
      const number = numberOf(ip.bytes)
      for (const [bits, table] of this.#ipv4) {
        best = Math.min(best, table.get(maskNumber(number, bits)) ?? best)
      }
    } else {
      for (const [bits, table] of this.#ipv6) best = Math.min(best, table.get(maskedKey(ip, bits)) ?? best)
    }
    return best
  }
}

function addOnce<K>(tables: Map<number, Map<K, number>>, bits: number, key: K, position: number): void {
  let table = tables.get(bits)
  if (table === undefined) {
    table = new Map()
    tables.set(bits, table)
  }
  if (!table.has(key)) table.set(key, position)
}

const IPV4 = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})(?:\/(\d{1,2}))?$/

/** The usual form, read several times as fast as by the careful way: lists hold 100,000 of them. */
function quickIpv4(text: string): { readonly number: number; readonly bits: number } | undefined {
  const found = IPV4.exec(text)
  if (found === null) return undefined
  const parts = [Number(found[1]), Number(found[2]), Number(found[3]), Number(found[4])]
  const bits = found[5] === undefined ? 32 : Number(found[5])
  return bits > 32 || parts.some((part) => part > 255) ? undefined : { number: numberOf(parts), bits }
}

/** An IPv4 address as one number, which a Map finds fastest. */
function numberOf(bytes: ArrayLike<number>): number {
  return (((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0)) >>> 0
}

function maskNumber(number: number, bits: number): number {
  return bits === 0 ? 0 : (number & (-1 << (32 - bits))) >>> 0
}

/** An IPv6 network as a short string, the cheapest key of 128 bits. */
function maskedKey(ip: IpAddress, bits: number): string {
  return String.fromCharCode(...maskIp(ip, bits).bytes)
}

/** IPv6 with all digits, groups joined by `separator`; IPv4 as dotted quad. For lookup keys. */
export function formatInFull(ip: IpAddress, separator: string): string {
  if (ip.version === 4) return ip.bytes.join('.')
  const hex = Buffer.from(ip.bytes).toString('hex')
  return (hex.match(/.{4}/g) ?? []).join(separator)
}
