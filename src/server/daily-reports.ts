/** What the daemon sends once a day: DMARC aggregate reports and TLS reports of days that are over. */
import { dayOf } from '../policy/msgauth/dmarc/aggregate-store.ts'
import { sendAggregateReports } from './dmarc-reports.ts'
import type { Server } from './server.ts'
import { sendTlsReports } from './tls-report-sender.ts'

/** How often the daemon looks whether a day is over. */
const tickMs = 600_000

/**
 * The daemon's daily run. Each host begins at a minute of its own after midnight (UTC), so that not all of them write to the
 * same domain at once.
 * @returns ends it
 */
export function startDailyReports(current: () => Server): () => void {
  let running = false
  const tick = (): void => {
    const server = current()
    const { dmarc_aggregate_reports, tls_rpt_send } = server.settings
    if (running || !(dmarc_aggregate_reports || tls_rpt_send)) return
    running = true
    void sendDue(server).finally(() => {
      running = false
    })
  }
  const timer = setInterval(tick, tickMs)
  timer.unref()
  tick()
  return () => clearInterval(timer)
}

async function sendDue(server: Server): Promise<void> {
  const { dmarc_aggregate_reports, tls_rpt_send } = server.settings
  const before = dayOf(server.ports.now() - ownMinute(server.facts.primaryHostname) * 60_000)
  const tell = (event: string) => (line: string) => server.log.main(undefined, line, { event })
  if (dmarc_aggregate_reports)
    await sendAggregateReports(server, { before, dryRun: false, tell: tell('dmarc:report') }).catch(
      (error: unknown) => server.fault('DMARC reports', error),
    )
  if (tls_rpt_send)
    await sendTlsReports(server, { before, tell: tell('tls:report') }).catch((error: unknown) =>
      server.fault('TLS reports', error),
    )
}

/** 5 to 64 minutes after midnight. */
function ownMinute(host: string): number {
  let sum = 0
  for (const char of host) sum = (sum * 31 + char.charCodeAt(0)) % 60
  return 5 + sum
}
