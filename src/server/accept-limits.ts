/**
 * Who may connect now: the counts and the load behind `smtp_accept_max` and its kin. Values only; the daemon keeps
 * the counts. Source: Exim manual, "Limiting the number of incoming SMTP connections" and the options' entries.
 */

export interface AcceptSituation {
  /** Connections open, without this one. */
  readonly connections: number
  readonly fromThisHost: number
  readonly smtpAcceptMax: number
  readonly smtpAcceptReserve: number
  /** 0: no limit. */
  readonly smtpAcceptMaxPerHost: number
  readonly smtpAcceptQueue: number
  readonly smtpLoadReserve: number | undefined
  /** `smtp_reserve_hosts` is set. */
  readonly hasReserveHosts: boolean
  /** Load average of one minute. */
  readonly load: number
}

export type AcceptVerdict =
  /** `queueWhy`: its messages are only put on the queue. */
  | { readonly is: 'welcome'; readonly queueWhy?: string }
  /** Only hosts of `smtp_reserve_hosts` may stay: `reply` (after the host name) and `why` are for the others. */
  | { readonly is: 'reserved'; readonly reply: string; readonly why: string }
  | { readonly is: 'refused'; readonly reply: string; readonly why: string }

const tooMany = '421 Too many concurrent SMTP connections; please try again later.'
const tooManyFromHost =
  '421 Too many concurrent SMTP connections from this IP address; please try again later.'
const tooMuchLoad = '421 Too much load; please try again later.'

export function decideAccept(s: AcceptSituation): AcceptVerdict {
  if (s.smtpAcceptMax > 0 && s.connections >= s.smtpAcceptMax) {
    return { is: 'refused', reply: tooMany, why: 'too many connections' }
  }
  if (s.smtpAcceptMaxPerHost > 0 && s.fromThisHost >= s.smtpAcceptMaxPerHost) {
    return { is: 'refused', reply: tooManyFromHost, why: 'too many connections from that IP address' }
  }
  if (s.smtpAcceptMax > 0 && s.smtpAcceptReserve > 0) {
    const reserve = s.smtpAcceptMax - s.smtpAcceptReserve
    if (s.connections >= reserve) {
      return {
        is: 'reserved',
        reply: 'Too many concurrent SMTP connections; please try again later',
        why: `not in reserve list: connected=${s.connections} max=${s.smtpAcceptMax} reserve=${s.smtpAcceptReserve}`,
      }
    }
  }
  if (s.smtpLoadReserve !== undefined && s.load > s.smtpLoadReserve) {
    const why = `load average = ${s.load.toFixed(2)}`
    if (!s.hasReserveHosts) return { is: 'refused', reply: tooMuchLoad, why }
    return {
      is: 'reserved',
      reply: 'Too much load; please try again later',
      why: `not in reserve list and ${why}`,
    }
  }
  if (s.smtpAcceptQueue > 0 && s.connections >= s.smtpAcceptQueue) {
    return {
      is: 'welcome',
      queueWhy: `too many connections (${s.connections + 1}, max ${s.smtpAcceptQueue})`,
    }
  }
  return { is: 'welcome' }
}
