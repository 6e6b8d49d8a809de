/**
 * Fetches a proof from the authority's responder and verifies it whole before anybody else sees it.
 * Source: RFC 6960 appendix A.1 (over HTTP), RFC 5019; requirements O9, O10.
 */
import { X509Certificate } from 'node:crypto'
import { exchangeHttp, type HttpRequest } from '../../http-exchange.ts'
import { certificateParts } from './der.ts'
import { verifyOcsp, type OcspVerdict } from './verify.ts'

export interface FetchRequest {
  readonly leaf: Buffer
  readonly issuer: Buffer
  readonly url: string
  readonly now: () => number
  readonly addresses: HttpRequest['addresses']
  readonly signal?: AbortSignal | undefined
}

export type FetchResult =
  | { readonly is: 'fetched'; readonly proof: Buffer; readonly verdict: OcspVerdict & { is: 'good' } }
  /** `status`: the responder's own answer in a word, where it was that: revoked, unknown, tryLater ... */
  | { readonly is: 'failed'; readonly why: string; readonly status?: string }

const timeoutMs = 30_000
const mostBytes = 256 * 1024

/** The responder that a certificate itself names (authority information access). */
export function responderUrl(leaf: Buffer): string | undefined {
  const access = new X509Certificate(leaf).infoAccess ?? ''
  return /^OCSP - URI:(https?:\/\/\S+)$/m.exec(access)?.[1]
}

export async function fetchProof(request: FetchRequest): Promise<FetchResult> {
  const { leaf, issuer, url, now } = request
  const { writeRequest } = await import('./asn1.ts')
  const [leafParts, issuerParts] = [certificateParts(leaf), certificateParts(issuer)]
  if (leafParts === undefined || issuerParts === undefined) {
    return { is: 'failed', why: 'the certificate cannot be read' }
  }
  const answer = await exchangeHttp({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
    body: writeRequest(leafParts, issuerParts),
    timeoutMs,
    mostBytes,
    addresses: request.addresses,
    signal: request.signal,
  })
  if (answer.is === 'failed') return { is: 'failed', why: `${url}: ${answer.why}` }
  if (answer.status !== 200) return { is: 'failed', why: `${url}: HTTP status ${answer.status}` }
  const verdict = await verifyOcsp({ response: answer.body, leaf, issuer, now: now() })
  if (verdict.is === 'bad') {
    const { problem, why } = verdict
    const status =
      problem === 'revoked' || problem === 'unknown' ? problem : /^OCSP status is (\S+)/.exec(why)?.[1]
    return { is: 'failed', why, ...(status === undefined ? {} : { status }) }
  }
  if (verdict.signerNotEmbedded) {
    return { is: 'failed', why: 'clients cannot verify it: signer certificate not embedded' }
  }
  if (verdict.usableUntil.getTime() <= now()) {
    return { is: 'failed', why: `the proof has ended at ${verdict.usableUntil.toISOString()}` }
  }
  return { is: 'fetched', proof: answer.body, verdict }
}
