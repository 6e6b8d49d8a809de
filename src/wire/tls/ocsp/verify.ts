/**
 * Whether an OCSP response proves that a certificate is good, judged as a careful client does: for what we staple,
 * for what servers staple to us, and for what `postern ocsp-fetch` is given.
 * Source: RFC 6960 sections 3.2, 4.2.2.2; RFC 5019 section 4; requirements O4, O5, O10.
 */
import {
  createHash,
  type KeyObject,
  verify as verifySignature,
  constants,
  X509Certificate,
} from 'node:crypto'
import type { BasicResponse, SingleStatus } from './asn1.ts'
import { type CertificateParts, certificateParts } from './der.ts'

/** What is wrong with a proof, in one word for programs; `why` says it to people. */
export type OcspProblem =
  | 'malformed'
  | 'no-answer'
  | 'other-certificate'
  | 'unauthorized-signer'
  | 'signature'
  | 'not-yet-valid'
  | 'no-next-update'
  | 'expired'
  | 'signer-expired'
  | 'revoked'
  | 'unknown'

export type OcspVerdict =
  | {
      readonly is: 'good'
      readonly thisUpdate: Date
      readonly nextUpdate: Date
      /** Until when it can be used: nextUpdate, or the end of the signer's certificate when that comes first. */
      readonly usableUntil: Date
      /** The signer's certificate ends before nextUpdate: a client that looks closely refuses it from then on. */
      readonly signerEndsFirst: boolean
      /** The signer's certificate is neither the issuer's nor embedded: clients cannot verify it. */
      readonly signerNotEmbedded: boolean
    }
  | { readonly is: 'bad'; readonly problem: OcspProblem; readonly why: string }

export interface OcspQuestion {
  readonly response: Buffer
  readonly leaf: Buffer
  readonly issuer: Buffer
  /** Further certificates that may have signed, beside those inside the response: O5, a PEM file with certificates. */
  readonly extra?: readonly Buffer[]
  readonly now: number
}

/** Clocks differ by so much: requirement O4. */
const skewMs = 300_000

export async function verifyOcsp(question: OcspQuestion): Promise<OcspVerdict> {
  const { readResponse } = await import('./asn1.ts')
  const leaf = certificateParts(question.leaf)
  const issuer = certificateParts(question.issuer)
  if (leaf === undefined || issuer === undefined) return bad('malformed', 'the certificate cannot be read')
  const response = readResponse(question.response)
  // RFC 6960 section 4.2.1: only "successful" has an answer inside.
  if (response.is === 'status') return bad('no-answer', `OCSP status is ${response.status}`)
  if (response.is === 'malformed')
    return bad('malformed', `the OCSP response cannot be read: ${response.why}`)
  // Section 3.2, step 1: it is about this certificate.
  const single = response.singles.find((each) => isAbout(each, leaf, issuer))
  if (single === undefined) return bad('other-certificate', 'the OCSP response is about another certificate')
  // Steps 2 to 4: a signature of who may sign.
  const signer = findSigner(response, question)
  if ('is' in signer) return signer
  if (!signatureHolds(response, signer.certificate.publicKey)) {
    return bad('signature', 'the signature of the OCSP response does not hold')
  }
  return judgeTimes(single, signer, question.now)
}

function bad(problem: OcspProblem, why: string): OcspVerdict & { is: 'bad' } {
  return { is: 'bad', problem, why }
}

const hashes: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

function isAbout(single: SingleStatus, leaf: CertificateParts, issuer: CertificateParts): boolean {
  const hash = hashes[single.hash]
  if (hash === undefined) return false
  const digest = (bytes: Buffer): Buffer => createHash(hash).update(bytes).digest()
  return (
    single.serial.equals(leaf.serial) &&
    single.issuerNameHash.equals(digest(leaf.issuer)) &&
    single.issuerKeyHash.equals(digest(issuer.keyBits))
  )
}

interface Signer {
  readonly certificate: X509Certificate
  readonly delegated: boolean
  readonly embedded: boolean
}

const ocspSigning = '1.3.6.1.5.5.7.3.9'

/** Section 4.2.2.2: the issuer itself, or one whom the issuer certified directly, with id-kp-OCSPSigning. */
function findSigner(response: BasicResponse, question: OcspQuestion): Signer | (OcspVerdict & { is: 'bad' }) {
  const issuer = new X509Certificate(question.issuer)
  if (isResponder(question.issuer, response)) return { certificate: issuer, delegated: false, embedded: true }
  let why =
    'the certificate that signed the OCSP response did not come along (signer certificate not embedded)'
  const candidates = [
    ...response.certificates.map((raw) => ({ raw, embedded: true })),
    ...(question.extra ?? []).map((raw) => ({ raw, embedded: false })),
  ]
  for (const { raw, embedded } of candidates) {
    if (!isResponder(raw, response)) continue
    const certificate = readCertificate(raw)
    if (certificate === undefined) continue
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
      why = 'the OCSP response was signed by one whom the issuer of the certificate did not certify'
    } else if (!(certificate.keyUsage ?? []).includes(ocspSigning)) {
      why = "the signer's certificate is not for signing OCSP responses (no OCSPSigning)"
    } else return { certificate, delegated: true, embedded }
  }
  return bad('unauthorized-signer', why)
}

function readCertificate(raw: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(raw)
  } catch {
    return undefined
  }
}

function isResponder(raw: Buffer, { responderName, responderKey }: BasicResponse): boolean {
  const parts = certificateParts(raw)
  if (parts === undefined) return false
  if (responderName !== undefined) return parts.subject.equals(responderName)
  return responderKey?.equals(createHash('sha1').update(parts.keyBits).digest()) === true
}

/** Hash by the OID of the signature's algorithm; MD5 and SHA-1 prove nothing any more. */
const algorithms: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  // Ed25519 and Ed448 hash by themselves.
  '1.3.101.112': null,
  '1.3.101.113': null,
}
const rsaPss = '1.2.840.113549.1.1.10'

function signatureHolds(
  { algorithm, algorithmOid, signed, signature }: BasicResponse,
  key: KeyObject,
): boolean {
  try {
    if (algorithmOid === rsaPss) {
      const hash = pssHash(algorithm)
      const padding = constants.RSA_PKCS1_PSS_PADDING
      const saltLength = constants.RSA_PSS_SALTLEN_AUTO
      return hash !== undefined && verifySignature(hash, signed, { key, padding, saltLength }, signature)
    }
    const hash = algorithms[algorithmOid]
    return hash !== undefined && verifySignature(hash, signed, key, signature)
  } catch {
    // A key of another kind than the algorithm wants.
    return false
  }
}

/** The hash named first among the parameters; the default, SHA-1, is not taken. */
function pssHash(algorithm: Buffer): string | undefined {
  const names: readonly (readonly [string, string])[] = [
    ['0609608648016503040201', 'sha256'],
    ['0609608648016503040202', 'sha384'],
    ['0609608648016503040203', 'sha512'],
  ]
  return names.find(([der]) => algorithm.includes(Buffer.from(der, 'hex')))?.[1]
}

/** Section 3.2, steps 5 and 6, and what the answer says. */
function judgeTimes(single: SingleStatus, signer: Signer, now: number): OcspVerdict {
  const { thisUpdate, nextUpdate } = single
  if (single.status === 'revoked') {
    return bad(
      'revoked',
      `the certificate is revoked since ${single.revokedAt?.toISOString() ?? 'an unknown time'}`,
    )
  }
  if (single.status === 'unknown') return bad('unknown', 'the responder does not know the certificate')
  if (thisUpdate.getTime() > now + skewMs) {
    return bad('not-yet-valid', `the OCSP response counts only from ${thisUpdate.toISOString()} on`)
  }
  if (nextUpdate === undefined) return bad('no-next-update', 'the OCSP response has no nextUpdate')
  if (nextUpdate.getTime() < now - skewMs) {
    return bad('expired', `the OCSP response has expired at ${nextUpdate.toISOString()}`)
  }
  const signerEnds = new Date(signer.certificate.validTo)
  const signerBegins = new Date(signer.certificate.validFrom)
  if (signerEnds.getTime() < now || signerBegins.getTime() > now + skewMs) {
    return bad(
      'signer-expired',
      `the certificate of the OCSP signer has expired at ${signerEnds.toISOString()}, before the response itself`,
    )
  }
  const signerEndsFirst = signer.delegated && signerEnds < nextUpdate
  return {
    is: 'good',
    thisUpdate,
    nextUpdate,
    usableUntil: signerEndsFirst ? signerEnds : nextUpdate,
    signerEndsFirst,
    signerNotEmbedded: !signer.embedded,
  }
}
