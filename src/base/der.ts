/** Reading DER, as far as certificates need it. Source: ITU-T X.690. Every length is checked against what is there. */

export interface DerValue {
  /** The identifier octet: class, constructed, number (below 31). */
  readonly tag: number
  readonly content: Uint8Array
}

/** Most values of one sequence. */
const mostValues = 10_000

/** The values that stand one after the other; undefined: not DER. */
export function derValues(bytes: Uint8Array): DerValue[] | undefined {
  const values: DerValue[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0
    if ((tag & 31) === 31 || values.length === mostValues) return undefined
    let length = bytes[at++] ?? -1
    if (length === 0x80 || length < 0) return undefined
    if (length > 0x80) {
      const octets = length & 0x7f
      if (octets > 4 || at + octets > bytes.length) return undefined
      length = 0
      for (let i = 0; i < octets; i++) length = length * 256 + (bytes[at++] ?? 0)
    }
    if (at + length > bytes.length) return undefined
    values.push({ tag, content: bytes.subarray(at, at + length) })
    at += length
  }
  return values
}

/** `1.2.840.113549`. */
export function objectIdentifier(content: Uint8Array): string {
  const arcs: bigint[] = []
  let value = 0n
  for (const octet of content.subarray(0, 100)) {
    value = (value << 7n) | BigInt(octet & 0x7f)
    if (octet & 0x80) continue
    if (arcs.length === 0) {
      const first = value < 40n ? 0n : value < 80n ? 1n : 2n
      arcs.push(first, value - first * 40n)
    } else arcs.push(value)
    value = 0n
  }
  return arcs.join('.')
}

/** A character string as UTF-8 bytes; undefined: another type. */
export function derText({ tag, content }: DerValue): Uint8Array | undefined {
  switch (tag) {
    // UTF8String, NumericString, PrintableString, IA5String, VisibleString.
    case 0x0c:
    case 0x12:
    case 0x13:
    case 0x16:
    case 0x1a:
      return content
    // TeletexString, which everybody takes for Latin-1.
    case 0x14:
      return Buffer.from(Buffer.from(content).toString('latin1'), 'utf8')
    // BMPString: UTF-16, big end first.
    case 0x1e:
      return content.length % 2 === 0
        ? Buffer.from(Buffer.from(content).swap16().toString('utf16le'), 'utf8')
        : undefined
    default:
      return undefined
  }
}

/** UTCTime or GeneralizedTime in milliseconds since 1970. Source: RFC 5280 section 4.1.2.5. */
export function derTime({ tag, content }: DerValue): number | undefined {
  const text = Buffer.from(content).toString('latin1')
  const match = (
    tag === 0x17 ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/
  ).exec(text)
  if (match === null || (tag !== 0x17 && tag !== 0x18)) return undefined
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0))
  const whole = tag === 0x17 ? year + (year < 50 ? 2000 : 1900) : year
  return Date.UTC(whole, month - 1, day, hour, minute, second)
}
