/**
 * OCSP requests and responses between bytes and plain values. The one file that uses the ASN.1 packages; loaded when
 * the first proof is looked at, since that takes 50 ms. Source: RFC 6960 section 4; RFC 9654 for the request.
 */
import { createHash } from 'node:crypto'
import { CertID, OCSPRequest, Request, ResponseData, TBSRequest } from '@peculiar/asn1-ocsp'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { type CertificateParts, derParts, insideDer } from './der.ts'

/** The words of OCSPResponseStatus. */
const statusWords = [
  'successful',
  'malformedRequest',
  'internalError',
  'tryLater',
  'unknown status 4',
  'sigRequired',
  'unauthorized',
] as const

export interface SingleStatus {
  /** Of the certificate asked about: hash algorithm by OID, hashes, serial number. */
  readonly hash: string
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
  readonly serial: Buffer
  readonly status: 'good' | 'revoked' | 'unknown'
  readonly revokedAt: Date | undefined
  readonly thisUpdate: Date
  readonly nextUpdate: Date | undefined
}

export interface BasicResponse {
  readonly is: 'response'
  /** The signed bytes. */
  readonly signed: Buffer
  /** The signature's algorithm, as DER, and its OID. */
  readonly algorithm: Buffer
  readonly algorithmOid: string
  readonly signature: Buffer
  /** Who signed: by name (DER) or by SHA-1 of the key. */
  readonly responderName: Buffer | undefined
  readonly responderKey: Buffer | undefined
  readonly singles: readonly SingleStatus[]
  /** Certificates that came along, as DER. */
  readonly certificates: readonly Buffer[]
}

export type ReadResponse =
  | BasicResponse
  /** The responder says it has no answer. */
  | { readonly is: 'status'; readonly status: string }
  | { readonly is: 'malformed'; readonly why: string }

const basicResponseOid = Buffer.from([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01])
/** A proof has one to a few answers and certificates. */
const mostSingles = 200
const mostCertificates = 20

export function readResponse(der: Buffer): ReadResponse {
  try {
    return parse(der)
  } catch (error) {
    return malformed(error instanceof Error ? error.message : String(error))
  }
}

function malformed(why: string): ReadResponse {
  return { is: 'malformed', why }
}

function parse(der: Buffer): ReadResponse {
  const [status, wrapped] = insideDer(der) ?? []
  if (status?.tag !== 0x0a || status.content.length !== 1) return malformed('not an OCSP response')
  const code = status.content[0] ?? 0
  if (code !== 0) return { is: 'status', status: statusWords[code] ?? `unknown status ${code}` }
  const [type, octets] = wrapped === undefined ? [] : (insideDer(wrapped.content) ?? [])
  if (type === undefined || octets === undefined) return malformed('no response inside')
  if (!type.content.equals(basicResponseOid)) return malformed('not a basic OCSP response')
  const [signed, algorithm, signature, certificates] = insideDer(octets.content) ?? []
  if (signed === undefined || algorithm === undefined || signature?.tag !== 0x03)
    return malformed('no signature')
  const data = AsnConvert.parse(signed.whole, ResponseData)
  if (data.responses.length > mostSingles) return malformed('too many answers in one response')
  const list = certificates?.tag === 0xa0 ? insideDer(certificates.content) : []
  if (list === undefined || list.length > mostCertificates) return malformed('unreadable certificates')
  const { byName, byKey } = data.responderID
  return {
    is: 'response',
    signed: signed.whole,
    algorithm: algorithm.whole,
    algorithmOid: AsnConvert.parse(algorithm.whole, AlgorithmIdentifier).algorithm,
    signature: signature.content.subarray(1),
    responderName: byName === undefined ? undefined : nameOfResponder(signed.content),
    responderKey: byKey === undefined ? undefined : Buffer.from(byKey.buffer),
    singles: data.responses.map((single) => ({
      hash: single.certID.hashAlgorithm.algorithm,
      issuerNameHash: Buffer.from(single.certID.issuerNameHash.buffer),
      issuerKeyHash: Buffer.from(single.certID.issuerKeyHash.buffer),
      serial: Buffer.from(single.certID.serialNumber),
      status:
        single.certStatus.revoked !== undefined
          ? 'revoked'
          : single.certStatus.good !== undefined
            ? 'good'
            : 'unknown',
      revokedAt: single.certStatus.revoked?.revocationTime,
      thisUpdate: single.thisUpdate,
      nextUpdate: single.nextUpdate,
    })),
    certificates: list.map(({ whole }) => whole),
  }
}

/** The name as it stands there: `[1] EXPLICIT Name`, after an optional version `[0]`. */
function nameOfResponder(signed: Buffer): Buffer | undefined {
  const first = derParts(signed)?.find(({ tag }) => tag === 0xa1)
  return first?.content
}

const sha1 = '1.3.14.3.2.26'

/**
 * A request about one certificate. SHA-1 names the issuer here and protects nothing: it is what all responders know
 * (RFC 5019 section 2.1.1). Without nonce, so that responders may answer with proofs made beforehand.
 */
export function writeRequest(leaf: CertificateParts, issuer: CertificateParts): Buffer {
  const digest = (bytes: Buffer): OctetString => new OctetString(createHash('sha1').update(bytes).digest())
  const reqCert = new CertID({
    // The parameters of SHA-1 are NULL.
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: sha1, parameters: new Uint8Array([5, 0]).buffer }),
    issuerNameHash: digest(leaf.issuer),
    issuerKeyHash: digest(issuer.keyBits),
    serialNumber: new Uint8Array(leaf.serial).buffer,
  })
  const request = new OCSPRequest({ tbsRequest: new TBSRequest({ requestList: [new Request({ reqCert })] }) })
  return Buffer.from(AsnConvert.serialize(request))
}
