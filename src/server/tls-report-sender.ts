/**
 * Sends TLS reports of days that are over to those who ask for them, by mail and over HTTPS: once a day by the daemon
 * (`tls_rpt_send`), or by `postern tlsrpt --send`. Source: RFC 8460 sections 3 and 5.
 */
import { randomBytes } from 'node:crypto'
import { packedReport, tlsReportMessage } from '../flow/delivery/tls-report-message.ts'
import { type PendingTlsReport, tlsReports } from '../flow/delivery/tls-reports.ts'
import type { ReportUri } from '../mail/dmarc-facts.ts'
import { parseTags, reportUris } from '../policy/msgauth/dmarc/record.ts'
import { exchangeHttp } from '../wire/http-exchange.ts'
import type { Server } from './server.ts'
import { submitGenerated } from './submit.ts'

export interface TlsReportRun {
  readonly organisation?: string | undefined
  readonly contact?: string | undefined
  /** Only this day, only this domain. */
  readonly day?: string | undefined
  readonly domain?: string | undefined
  /** Days before this one, as YYYY-MM-DD. */
  readonly before: string
  tell(line: string): void
}

export interface TlsReportResult {
  readonly sent: number
  readonly refused: number
  readonly later: number
}

/** What could not be sent for so long is dropped. */
const mostAgeMs = 5 * 86_400_000
const claimedForMs = 3_600_000
const httpMs = 30_000
const mostAnswerBytes = 65_536
/** So many addresses of one record get the report. */
const mostTargets = 5

export async function sendTlsReports(server: Server, run: TlsReportRun): Promise<TlsReportResult> {
  await server.store.openHints()
  const { hints } = server.ports
  const result = { sent: 0, refused: 0, later: 0 }
  const reports = tlsReports(hints, {
    organisation: run.organisation ?? server.facts.primaryHostname,
    contact: run.contact ?? `postmaster@${server.facts.qualifyDomain}`,
    day: run.day,
    domain: run.domain,
  })
  for (const pending of reports) {
    if (pending.day >= run.before || !(await claimed(server, pending))) continue
    const outcome = await sendOne(server, pending, run, result)
    const tooOld = server.ports.now() - Date.parse(pending.day) > mostAgeMs
    if (outcome === 'done' || tooOld) for (const key of pending.keys) hints.remove('tls', key)
    hints.remove('tls', claimKey(pending))
  }
  return result
}

function claimKey({ day, domain }: PendingTlsReport): string {
  return `sending ${day} ${domain}`
}

/** Several processes may send at once; each report goes out from one. */
async function claimed(server: Server, pending: PendingTlsReport): Promise<boolean> {
  const { hints } = server.ports
  const now = server.ports.now()
  const mine = randomBytes(8).toString('hex')
  const kept = await hints.update<{ by: string; at: number }>('tls', claimKey(pending), (old) =>
    old !== undefined && now - old.at < claimedForMs ? old : { by: mine, at: now },
  )
  // Another may have sent it while we waited for our turn.
  return kept?.by === mine && pending.keys.some((key) => hints.get('tls', key) !== undefined)
}

async function sendOne(
  server: Server,
  pending: PendingTlsReport,
  run: TlsReportRun,
  result: { sent: number; refused: number; later: number },
): Promise<'done' | 'later'> {
  const { domain, day, report } = pending
  const head = `TLS report about ${domain} for ${day}`
  const record = await wishesOf(domain, server)
  if (record === 'again') {
    run.tell(`${head} not sent: the DNS has no answer about _smtp._tls.${domain} now`)
    result.later++
    return 'later'
  }
  if (record.length === 0) {
    run.tell(`${head} not sent: _smtp._tls.${domain} names nobody who wants it`)
    result.refused++
    return 'done'
  }
  const packed = packedReport(report)
  const hints = server.ports.hints
  let outcome: 'done' | 'later' = 'done'
  for (const target of record.slice(0, mostTargets)) {
    // One that has it already does not get it twice when another could not be reached.
    const mark = `sent-to ${day} ${domain} ${target.uri}`
    if (hints.get('tls', mark) !== undefined) continue
    const sent =
      target.address === undefined
        ? await post(target.uri, packed, server)
        : await mail(target.address, packed, pending, server)
    run.tell(
      `${head} ${sent.ok ? 'sent' : 'not sent'} to ${target.uri}${sent.note === '' ? '' : `: ${sent.note}`}`,
    )
    if (sent.ok) {
      result.sent++
      hints.put('tls', mark, 1)
    } else {
      result.later++
      outcome = 'later'
    }
  }
  return outcome
}

/** Where the domain wants its reports: RFC 8460 section 3. Several records count as none. */
async function wishesOf(domain: string, server: Server): Promise<readonly ReportUri[] | 'again'> {
  const answer = await server.ports.dns(`_smtp._tls.${domain}`, 'TXT')
  if (answer.status === 'again') return 'again'
  const texts = answer.records.flatMap((each) => (each.type === 'TXT' ? [each.strings.join('')] : []))
  const records = texts.filter((text) => /^v=TLSRPTv1[ \t]*(?:;|$)/.test(text))
  const [record] = records
  if (record === undefined || records.length > 1) return []
  const uris = reportUris(parseTags(record)?.get('rua'))
  return uris.filter(({ scheme, address }) => scheme === 'https' || address !== undefined)
}

interface Sent {
  readonly ok: boolean
  readonly note: string
}

async function mail(
  address: string,
  packed: Buffer,
  pending: PendingTlsReport,
  server: Server,
): Promise<Sent> {
  const { report, domain } = pending
  const from = report['contact-info']
  const submitted = await submitGenerated(
    {
      sender: from,
      recipients: [address],
      text: tlsReportMessage(report, {
        domain,
        from,
        to: address,
        submitter: server.facts.primaryHostname,
        packed,
      }),
      about: '',
      isReport: false,
      aboutTls: true,
    },
    server,
    await server.receiving(),
  )
  return submitted.is === 'accepted'
    ? { ok: true, note: `as ${submitted.id}` }
    : { ok: false, note: submitted.message }
}

/** A certificate that does not verify is no reason not to send: RFC 8460 section 3. */
async function post(url: string, packed: Buffer, server: Server): Promise<Sent> {
  const request = {
    url,
    method: 'POST' as const,
    headers: { 'content-type': 'application/tlsrpt+gzip', 'content-length': String(packed.length) },
    body: packed,
    timeoutMs: httpMs,
    mostBytes: mostAnswerBytes,
    async addresses(host: string) {
      const found = await server.ports.hostAddresses(host, { ipv4Only: server.settings.disable_ipv6 })
      return found.is === 'found' ? found.addresses : []
    },
  }
  let answer = await exchangeHttp(request)
  let unverified = ''
  if (answer.is === 'failed' && answer.certificate) {
    unverified = `its certificate does not verify (${answer.why})`
    answer = await exchangeHttp({ ...request, anyCertificate: true })
  }
  if (answer.is === 'failed') return { ok: false, note: answer.why }
  const ok = answer.status >= 200 && answer.status < 300
  return { ok, note: ok ? unverified : `HTTP status ${answer.status}` }
}
