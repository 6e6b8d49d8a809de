/** What a TLS report says of one session. Source: RFC 8460 sections 4.2, 4.3. */
import type { ByteString } from '../../../base/text.ts'
import type { TlsSession } from '../tls-reports.ts'
import type { Place } from './smtp-hosts.ts'
import type { TlsWish } from './smtp-tls.ts'

/** Undefined: the host is not the domain's own, so the domain has no use for it. */
export function reportedSession(
  wish: TlsWish,
  domain: ByteString,
  place: Place,
  sendingIp: string | undefined,
): TlsSession | undefined {
  if (!place.mx && place.name.toLowerCase() !== domain.toLowerCase()) return undefined
  const { dane, sts, seen } = wish
  const common = { domain, sendingIp, mx: place.name, ip: place.address }
  if (dane.is !== 'none') {
    const lines = dane.is === 'records' ? dane.records.map(tlsaLine) : []
    return { ...common, policy: { type: 'tlsa', lines, mx: [place.name] }, failure: seen.failure }
  }
  if (sts.is === 'missing') {
    const failure = { result: sts.result, why: sts.why }
    return { ...common, policy: { type: 'sts', lines: [], mx: [] }, failure }
  }
  if (sts.is === 'none') {
    // Without a policy only the lack of TLS, and its failures, are of interest.
    const failure = seen.end === 'encrypted' ? undefined : seen.failure
    return { ...common, policy: { type: 'no-policy-found', lines: [], mx: [] }, failure }
  }
  const other = sts.is === 'policy' && sts.otherHost
  const failure = other
    ? { result: 'validation-failure' as const, why: `the policy does not name the host ${place.name}` }
    : seen.failure
  return { ...common, policy: { type: 'sts', lines: sts.lines, mx: sts.mx }, failure }
}

function tlsaLine(record: {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly data: Uint8Array
}): string {
  const data = Buffer.from(record.data).toString('hex')
  return `${record.usage} ${record.selector} ${record.matching} ${data}`
}
