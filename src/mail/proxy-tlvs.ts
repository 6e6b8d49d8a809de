/**
 * The type-length-value fields at the end of a PROXY header of version 2, and what is known of their types.
 * Source: HAProxy, "The PROXY protocol", section 2.2; the types 0xEA and 0xEE: documents of AWS and Azure.
 */
import { type ByteString, fromBytes } from '../base/text.ts'

export const tlvTypes = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  uniqueId: 0x05,
  ssl: 0x20,
  netns: 0x30,
  aws: 0xea,
  azure: 0xee,
} as const

/** Fields inside the one of type `ssl`, after its five fixed bytes. */
export const sslTypes = { version: 0x21, commonName: 0x22, cipher: 0x23 } as const

/** Client flags and result of the verification, before the fields within `ssl`. */
const sslFixedBytes = 5
const uniqueIdMostBytes = 128

export interface Tlv {
  readonly type: number
  /** Where its value begins. */
  readonly at: number
  readonly value: Buffer
}

/** All fields in order; undefined when the last does not end where the bytes do. */
export function splitTlvs(bytes: Buffer): Tlv[] | undefined {
  const found: Tlv[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return undefined
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    if (end > bytes.length) return undefined
    found.push({ type: bytes.readUInt8(at), at: at + 3, value: bytes.subarray(at + 3, end) })
    at = end
  }
  return found
}

/** What is wrong with the value of a field, if anything. */
export function tlvFault({ type, value }: Tlv): string | undefined {
  if (type === tlvTypes.crc32c && value.length !== 4) return 'a CRC32C field is not of 4 bytes'
  if (type === tlvTypes.uniqueId && value.length > uniqueIdMostBytes) return 'a unique id is too long'
  if (type !== tlvTypes.ssl) return undefined
  if (value.length < sslFixedBytes) return 'an SSL field is too short'
  return splitTlvs(value.subarray(sslFixedBytes)) === undefined ? 'fields within SSL are cut off' : undefined
}

/** What the proxy's own TLS told, out of the value of field `ssl`. */
export function readSslTlv(
  value: ByteString,
): { readonly verify: number; readonly fields: ReadonlyMap<number, ByteString> } | undefined {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < sslFixedBytes) return undefined
  return { verify: bytes.readUInt32BE(1), fields: tlvMap(splitTlvs(bytes.subarray(sslFixedBytes)) ?? []) }
}

/** Values by type. Of fields of one type the first counts. */
export function tlvMap(tlvs: readonly Tlv[]): ReadonlyMap<number, ByteString> {
  const map = new Map<number, ByteString>()
  for (const { type, value } of tlvs) if (!map.has(type)) map.set(type, fromBytes(value))
  return map
}
