/** The PROXY header in binary form. Source: HAProxy, "The PROXY protocol", section 2.2. */
import { formatIp, unmapped } from '../../base/ip.ts'
import type { ByteString } from '../../base/text.ts'
import { splitTlvs, tlvFault, tlvMap, tlvTypes } from '../../mail/proxy-tlvs.ts'
import { crc32c } from './crc32c.ts'
import type { Endpoint, ProxyParse } from './header.ts'

export const version2Start: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Signature, version and command, family and protocol, length. */
const fixedBytes = 16

/** Upper four bits of byte 13: bytes of the block of addresses. */
const addressBytes: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 }
const inet = 1
const unix = 3
/** Lower four bits. */
const stream = 1

type Tlvs = { readonly tlvs: ReadonlyMap<number, ByteString> } | { readonly why: string }

export function parseVersion2(bytes: Buffer): ProxyParse {
  // What is there may still turn out to be no signature with the next byte.
  if (bytes.length < fixedBytes) return { is: 'more', least: bytes.length + 1 }
  // A wrong header is read to its end too: what it announced are no commands.
  const length = fixedBytes + bytes.readUInt16BE(14)
  if (bytes.length < length) return { is: 'more', least: length }
  return parseWhole(bytes.subarray(0, length))
}

function parseWhole(header: Buffer): ProxyParse {
  const { length } = header
  const invalid = (why: string): ProxyParse => ({ is: 'invalid', length, why })
  const version = header.readUInt8(12) >> 4
  const command = header.readUInt8(12) & 15
  const family = header.readUInt8(13) >> 4
  const protocol = header.readUInt8(13) & 15
  if (version !== 2) return invalid(`version ${version}`)
  if (command > 1) return invalid(`command ${command}`)
  const addresses = addressBytes[family]
  const room = length - fixedBytes
  if (command === 0) {
    // LOCAL: family and addresses mean nothing, whatever they are.
    if (addresses === undefined || addresses > room) return local(length, new Map())
    const read = tlvsOf(header, fixedBytes + addresses)
    return 'why' in read ? invalid(read.why) : local(length, read.tlvs)
  }
  // Mail comes over streams, from clients with an address: others would pass for the proxy itself.
  if (addresses === undefined || addresses === 0) return invalid(`address family ${family}`)
  if (protocol !== stream) return invalid(`transport protocol ${protocol}`)
  if (addresses > room) return invalid('the addresses are cut off')
  const read = tlvsOf(header, fixedBytes + addresses)
  if ('why' in read) return invalid(read.why)
  const { tlvs } = read
  if (family === unix) return { is: 'header', length, header: { is: 'unaddressed', tlvs } }
  const { client, target } = endpoints(header, family)
  return { is: 'header', length, header: { is: 'proxied', client, target, tlvs } }
}

function local(length: number, tlvs: ReadonlyMap<number, ByteString>): ProxyParse {
  return { is: 'header', length, header: { is: 'healthCheck', tlvs } }
}

/** Source address, destination address, source port, destination port. */
function endpoints(header: Buffer, family: number): { readonly client: Endpoint; readonly target: Endpoint } {
  const size = family === inet ? 4 : 16
  const end = (nth: 0 | 1): Endpoint => {
    const at = fixedBytes + nth * size
    const bytes = Uint8Array.from(header.subarray(at, at + size))
    return {
      address: formatIp(unmapped({ version: family === inet ? 4 : 6, bytes })),
      port: header.readUInt16BE(fixedBytes + 2 * size + 2 * nth),
    }
  }
  return { client: end(0), target: end(1) }
}

function tlvsOf(header: Buffer, start: number): Tlvs {
  const found = splitTlvs(header.subarray(start))
  if (found === undefined) return { why: 'the fields after the addresses are cut off' }
  for (const tlv of found) {
    const why = tlvFault(tlv)
    if (why !== undefined) return { why }
  }
  const [sum, another] = found.filter((tlv) => tlv.type === tlvTypes.crc32c)
  if (another !== undefined) return { why: 'two checksums' }
  if (sum !== undefined && !checks(header, start + sum.at)) return { why: 'the CRC32C checksum is wrong' }
  return { tlvs: tlvMap(found) }
}

/** The sum is over the whole header with its own four bytes zero. */
function checks(header: Buffer, at: number): boolean {
  const zeroed = Buffer.from(header)
  zeroed.fill(0, at, at + 4)
  return crc32c(zeroed) === header.readUInt32BE(at)
}
