/** What a certificate says. Sources: RFC 5280 section 4; RFC 4514. */
import { derText, derTime, derValues, objectIdentifier, type DerValue } from './der.ts'
import { fromBytes, type ByteString } from './text.ts'

/** One element of a distinguished name: `CN=mail.example`; the value is escaped as RFC 4514 says. */
export interface NamePart {
  readonly type: string
  readonly value: ByteString
}

export interface AlternativeName {
  readonly type: 'dns' | 'mail' | 'uri'
  readonly value: ByteString
}

export interface CertificateFields {
  /** 1 to 3. */
  readonly version: number
  /** Hexadecimal, without zeros before it. */
  readonly serialNumber: string
  /** In the order of the certificate. */
  readonly subject: readonly NamePart[]
  readonly issuer: readonly NamePart[]
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly signatureAlgorithm: string
  readonly signature: Uint8Array
  readonly alternativeNames: readonly AlternativeName[]
  readonly ocspUris: readonly ByteString[]
  readonly crlUris: readonly ByteString[]
}

/** Largest certificate that is read, in bytes. */
const largest = 64 * 1024

/** @param bytes DER, or PEM, of which the first certificate counts. Undefined: it is no certificate. */
export function readCertificate(bytes: Uint8Array): CertificateFields | undefined {
  const der = derOf(bytes)
  if (der === undefined || der.length > largest) return undefined
  const outer = derValues(der)?.[0]
  if (outer?.tag !== 0x30) return undefined
  const [body, algorithm, signature] = derValues(outer.content) ?? []
  if (body?.tag !== 0x30 || algorithm?.tag !== 0x30 || signature?.tag !== 0x03) return undefined
  const fields = derValues(body.content) ?? []
  const hasVersion = fields[0]?.tag === 0xa0
  const versionValue = hasVersion ? derValues(fields[0]?.content ?? empty)?.[0] : undefined
  const [serial, , issuer, validity, subject] = hasVersion ? fields.slice(1) : fields
  const [from, to] = derValues(validity?.content ?? empty) ?? []
  const notBefore = from && derTime(from)
  const notAfter = to && derTime(to)
  if (serial?.tag !== 0x02 || subject === undefined || issuer === undefined) return undefined
  if (notBefore === undefined || notAfter === undefined) return undefined
  const extensions = extensionsOf(fields)
  return {
    version: (versionValue?.content[0] ?? 0) + 1,
    serialNumber: Buffer.from(serial.content)
      .toString('hex')
      .replace(/^0+(?=.)/, ''),
    subject: nameParts(subject),
    issuer: nameParts(issuer),
    notBefore,
    notAfter,
    signatureAlgorithm: algorithmName(algorithm),
    // The first octet counts unused bits: none.
    signature: signature.content.subarray(1),
    alternativeNames: alternativeNames(extensions.get('2.5.29.17')),
    ocspUris: ocspUris(extensions.get('1.3.6.1.5.5.7.1.1')),
    crlUris: crlUris(extensions.get('2.5.29.31')),
  }
}

const empty = new Uint8Array()

function derOf(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes[0] === 0x30) return bytes
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4 * largest)).toString(
    'latin1',
  )
  const match = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/.exec(text)
  return match === null ? undefined : Buffer.from(match[1] ?? '', 'base64')
}

/** Labels as GnuTLS writes them, which Debian's Exim shows. */
const labels: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'surName',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'street',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.42': 'givenName',
  '2.5.4.43': 'initials',
  '2.5.4.46': 'dnQualifier',
  '2.5.4.65': 'pseudonym',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'EMAIL',
}

function nameParts(name: DerValue): NamePart[] {
  const parts: NamePart[] = []
  for (const set of derValues(name.content) ?? []) {
    for (const pair of derValues(set.content) ?? []) {
      const [type, value] = derValues(pair.content) ?? []
      if (type?.tag !== 0x06 || value === undefined) continue
      const oid = objectIdentifier(type.content)
      const text = derText(value)
      parts.push({
        type: labels[oid] ?? oid,
        value:
          text === undefined ? `#${Buffer.from(value.content).toString('hex')}` : escaped(fromBytes(text)),
      })
    }
  }
  return parts
}

/** RFC 4514 section 2.4. */
function escaped(text: ByteString): ByteString {
  return text
    .replace(/[,+"\\<>;]/g, '\\$&')
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ')
    .replaceAll('\0', '\\00')
}

const algorithms: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'RSA-MD5',
  '1.2.840.113549.1.1.5': 'RSA-SHA1',
  '1.2.840.113549.1.1.10': 'RSA-PSS',
  '1.2.840.113549.1.1.11': 'RSA-SHA256',
  '1.2.840.113549.1.1.12': 'RSA-SHA384',
  '1.2.840.113549.1.1.13': 'RSA-SHA512',
  '1.2.840.113549.1.1.14': 'RSA-SHA224',
  '1.2.840.10045.4.1': 'ECDSA-SHA1',
  '1.2.840.10045.4.3.1': 'ECDSA-SHA224',
  '1.2.840.10045.4.3.2': 'ECDSA-SHA256',
  '1.2.840.10045.4.3.3': 'ECDSA-SHA384',
  '1.2.840.10045.4.3.4': 'ECDSA-SHA512',
  '1.2.840.10040.4.3': 'DSA-SHA1',
  '2.16.840.1.101.3.4.3.2': 'DSA-SHA256',
  '1.3.101.112': 'EdDSA-Ed25519',
  '1.3.101.113': 'EdDSA-Ed448',
}

function algorithmName(algorithm: DerValue): string {
  const oid = objectIdentifier(derValues(algorithm.content)?.[0]?.content ?? empty)
  return algorithms[oid] ?? oid
}

/** By object identifier: what each extension's octets hold. */
function extensionsOf(fields: readonly DerValue[]): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  const wrapped = fields.find(({ tag }) => tag === 0xa3)
  const list = wrapped && derValues(wrapped.content)?.[0]
  for (const one of derValues(list?.content ?? empty) ?? []) {
    const parts = derValues(one.content) ?? []
    const last = parts.at(-1)
    if (parts[0]?.tag !== 0x06 || last?.tag !== 0x04) continue
    found.set(objectIdentifier(parts[0].content), last.content)
  }
  return found
}

/** The members of the one sequence that an extension is. */
function members(extension: Uint8Array | undefined): DerValue[] {
  const outer = extension && derValues(extension)?.[0]
  return (outer && derValues(outer.content)) ?? []
}

const nameTypes: Readonly<Record<number, AlternativeName['type']>> = {
  0x81: 'mail',
  0x82: 'dns',
  0x86: 'uri',
}

/** Addresses and names of other kinds are left out, as Exim does. */
function alternativeNames(extension: Uint8Array | undefined): AlternativeName[] {
  return members(extension).flatMap(({ tag, content }) => {
    const type = nameTypes[tag]
    return type === undefined ? [] : [{ type, value: fromBytes(content) }]
  })
}

/** RFC 5280 section 4.2.2.1: access method id-ad-ocsp. */
function ocspUris(extension: Uint8Array | undefined): ByteString[] {
  return members(extension).flatMap((description) => {
    const [method, place] = derValues(description.content) ?? []
    const isOcsp = method !== undefined && objectIdentifier(method.content) === '1.3.6.1.5.5.7.48.1'
    return isOcsp && place?.tag === 0x86 ? [fromBytes(place.content)] : []
  })
}

/** RFC 5280 section 4.2.1.13: full names of distribution points. */
function crlUris(extension: Uint8Array | undefined): ByteString[] {
  return members(extension).flatMap((point) => {
    const name = derValues(point.content)?.find(({ tag }) => tag === 0xa0)
    const full = name && derValues(name.content)?.find(({ tag }) => tag === 0xa0)
    return (derValues(full?.content ?? empty) ?? []).flatMap(({ tag, content }) =>
      tag === 0x86 ? [fromBytes(content)] : [],
    )
  })
}
