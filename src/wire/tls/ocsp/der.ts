/**
 * Walks DER without decoding values: signatures are over the very bytes, and reading and writing them again might
 * change those. Source: ITU-T X.690 section 8.1.
 */

export interface DerPart {
  readonly tag: number
  /** With tag and length. */
  readonly whole: Buffer
  readonly content: Buffer
}

/** The parts that follow each other in `bytes`; undefined when they do not fill it exactly. */
export function derParts(bytes: Buffer, most = 10_000): DerPart[] | undefined {
  const parts: DerPart[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0
    let length = bytes[at + 1]
    let start = at + 2
    // Tags of several bytes and open lengths do not occur in certificates and OCSP answers.
    if (length === undefined || (tag & 0x1f) === 0x1f || length === 0x80) return undefined
    if (length > 0x80) {
      const digits = length & 0x7f
      if (digits > 4 || start + digits > bytes.length) return undefined
      length = bytes.readUIntBE(start, digits)
      start += digits
    }
    if (start + length > bytes.length || parts.length >= most) return undefined
    parts.push({
      tag,
      whole: bytes.subarray(at, start + length),
      content: bytes.subarray(start, start + length),
    })
    at = start + length
  }
  return parts
}

/** The parts inside the one structure that `bytes` is. */
export function insideDer(bytes: Buffer): DerPart[] | undefined {
  const outer = derParts(bytes, 1)
  return outer?.[0] === undefined ? undefined : derParts(outer[0].content)
}

/** What OCSP needs of a certificate, byte for byte. */
export interface CertificateParts {
  /** The subject as DER. */
  readonly subject: Buffer
  readonly issuer: Buffer
  /** Contents of the serial number. */
  readonly serial: Buffer
  /** The public key without algorithm: what key hashes are made of. */
  readonly keyBits: Buffer
  readonly extensions: Buffer
}

/** Source: RFC 5280 section 4.1. Undefined: not the shape of a certificate. */
export function certificateParts(raw: Buffer): CertificateParts | undefined {
  const tbs = insideDer(raw)?.[0]
  const fields = tbs === undefined ? undefined : derParts(tbs.content)
  if (fields === undefined) return undefined
  const rest = fields[0]?.tag === 0xa0 ? fields.slice(1) : fields
  const [serial, , issuer, , subject, key, ...further] = rest
  const bits = key === undefined ? undefined : derParts(key.content)?.[1]
  if (serial === undefined || issuer === undefined || subject === undefined || bits?.tag !== 0x03)
    return undefined
  return {
    serial: serial.content,
    issuer: issuer.whole,
    subject: subject.whole,
    // The first byte of a bit string counts unused bits.
    keyBits: bits.content.subarray(1),
    extensions: further.find(({ tag }) => tag === 0xa3)?.content ?? Buffer.alloc(0),
  }
}
