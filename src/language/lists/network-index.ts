/** Networks found by address at a cost that does not grow with their number: one table for each prefix length. */
import { type IpAddress, type IpNetwork, maskIp } from '../../base/ip.ts'

export class NetworkIndex {
  readonly #ipv4 = new Map<number, Map<number, number>>()
  readonly #ipv6 = new Map<number, Map<string, number>>()

  /** The first of equal networks counts: lists are read from left to right. */
  add(network: IpNetwork, position: number): void {
    if (network.version === 4)
      addOnce(this.#ipv4, network.bits, maskedNumber(network, network.bits), position)
    else addOnce(this.#ipv6, network.bits, maskedKey(network, network.bits), position)
  }

  /** The least position of a network that holds the address, or Infinity. */
  find(ip: IpAddress): number {
    let best = Number.POSITIVE_INFINITY
    if (ip.version === 4) {
      for (const [bits, table] of this.#ipv4) best = Math.min(best, table.get(maskedNumber(ip, bits)) ?? best)
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

/** An IPv4 network as one number, which a Map finds fastest. */
function maskedNumber({ bytes }: IpAddress, bits: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes
  return bits === 0 ? 0 : (((a << 24) | (b << 16) | (c << 8) | d) & (-1 << (32 - bits))) >>> 0
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
