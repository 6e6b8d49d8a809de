/**
 * What became of TLS with each domain, counted by day for reports to the domain (TLSRPT), in the hints.
 * Source: RFC 8460 sections 4.2 to 4.4.
 */
import type { Hints } from '../../ports.ts'
import type { TlsResultType } from '../../wire/tls/handshake.ts'

export interface TlsSession {
  readonly domain: string
  readonly policy: {
    readonly type: 'tlsa' | 'sts' | 'no-policy-found'
    readonly lines: readonly string[]
    readonly mx: readonly string[]
  }
  /** Undefined: TLS was had as the policy wants it. */
  readonly failure: { readonly result: TlsResultType; readonly why: string } | undefined
  readonly sendingIp: string | undefined
  readonly mx: string
  readonly ip: string
}

/** One kind of failure, as the report has it. */
export interface FailureCount {
  readonly result: TlsResultType
  readonly why: string
  readonly sendingIp: string | undefined
  readonly mx: string
  readonly ip: string
  count: number
}

export interface DayCount {
  readonly policy: TlsSession['policy']
  successes: number
  failures: FailureCount[]
}

/** Beyond, failures of a domain are counted with the last kind. */
const mostKinds = 100

/** `rpt 2026-11-29 example.org sts`. */
export const reportPrefix = 'rpt '

export async function countTlsSession(hints: Hints, session: TlsSession, now: number): Promise<void> {
  const day = new Date(now).toISOString().slice(0, 10)
  const key = `${reportPrefix}${day} ${session.domain.toLowerCase()} ${session.policy.type}`
  await hints.update<DayCount>('tls', key, (old) => {
    const count: DayCount = {
      policy: session.policy,
      successes: old?.successes ?? 0,
      failures: [...(old?.failures ?? [])],
    }
    const { failure, sendingIp, mx, ip } = session
    if (failure === undefined) count.successes++
    else {
      const same = count.failures.find(
        (each) =>
          each.result === failure.result && each.mx === mx && each.ip === ip && each.sendingIp === sendingIp,
      )
      if (same !== undefined) same.count++
      else if (count.failures.length < mostKinds)
        count.failures.push({ ...failure, why: failure.why.slice(0, 300), sendingIp, mx, ip, count: 1 })
      else {
        const last = count.failures.at(-1)
        if (last !== undefined) last.count++
      }
    }
    return count
  })
}

export interface ReportOptions {
  readonly organisation: string
  readonly contact: string
  /** Only this day, only this domain. */
  readonly day?: string | undefined
  readonly domain?: string | undefined
}

export interface TlsReport {
  readonly 'organization-name': string
  readonly 'date-range': { readonly 'start-datetime': string; readonly 'end-datetime': string }
  readonly 'contact-info': string
  readonly 'report-id': string
  readonly policies: readonly object[]
}

export interface PendingTlsReport {
  /** In the hints. */
  readonly keys: readonly string[]
  readonly day: string
  readonly domain: string
  readonly report: TlsReport
}

/** Reports as RFC 8460 section 4.4 writes them in JSON: one a day and domain. */
export function tlsReports(hints: Hints, options: ReportOptions): PendingTlsReport[] {
  const found = new Map<string, { keys: string[]; day: string; domain: string; counts: DayCount[] }>()
  for (const { key, value } of hints.entries('tls', { start: reportPrefix, end: 'rpt~' })) {
    const [, day = '', domain = ''] = key.split(' ')
    if (options.day !== undefined && options.day !== day) continue
    if (options.domain !== undefined && options.domain.toLowerCase() !== domain) continue
    const place = found.get(`${day} ${domain}`) ?? { keys: [], day, domain, counts: [] }
    place.keys.push(key)
    // Only countTlsSession writes under these keys.
    place.counts.push(value as DayCount)
    found.set(`${day} ${domain}`, place)
  }
  return [...found.values()].map(({ keys, day, domain, counts }) => ({
    keys,
    day,
    domain,
    report: {
      'organization-name': options.organisation,
      'date-range': { 'start-datetime': `${day}T00:00:00Z`, 'end-datetime': `${day}T23:59:59Z` },
      'contact-info': options.contact,
      'report-id': `${day}T00:00:00Z_${domain}`,
      policies: counts.map((count) => policyResult(count, domain)),
    },
  }))
}

function policyResult({ policy, successes, failures }: DayCount, domain: string): object {
  return {
    policy: {
      'policy-type': policy.type,
      ...(policy.lines.length === 0 ? {} : { 'policy-string': policy.lines }),
      'policy-domain': domain,
      ...(policy.mx.length === 0 ? {} : { 'mx-host': policy.mx }),
    },
    summary: {
      'total-successful-session-count': successes,
      'total-failure-session-count': failures.reduce((sum, { count }) => sum + count, 0),
    },
    ...(failures.length === 0
      ? {}
      : {
          'failure-details': failures.map((each) => ({
            'result-type': each.result,
            ...(each.sendingIp === undefined ? {} : { 'sending-mta-ip': each.sendingIp }),
            'receiving-mx-hostname': each.mx,
            'receiving-ip': each.ip,
            'failed-session-count': each.count,
            'failure-reason-code': each.why,
          })),
        }),
  }
}
