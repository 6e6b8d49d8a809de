/** `postern tlsrpt`: what became of TLS with other domains, as reports of RFC 8460 in JSON. */
import { encodeUtf8 } from '../../../base/text.ts'
import { tlsReports } from '../../../flow/delivery/tls-reports.ts'
import { readWords } from '../read-words.ts'
import { withServer } from '../with-server.ts'
import type { TlsReportRun } from '../../../server/tls-report-sender.ts'
import type { Server } from '../../../server/server.ts'
import type { Terminal } from '../terminal.ts'

export const usage = `usage: postern tlsrpt [-C FILE] [--day YYYY-MM-DD] [--domain DOMAIN] [--organisation NAME] [--contact ADDRESS] [--remove]
       postern tlsrpt --send [--today] [-C FILE] [--day YYYY-MM-DD] [--domain DOMAIN] [--organisation NAME] [--contact ADDRESS]
  one JSON object a line, one for each day and domain; what was counted with tls_rpt of smtp transports
  --remove     forgets what was shown
  --send       sends the reports of days that are over to those whom _smtp._tls.DOMAIN names, by mail or over https
  --today      of this day too, to try it out
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = read(words)
  if ('wrong' in options) {
    terminal.err(encodeUtf8(`postern tlsrpt: ${options.wrong}\n${usage}`))
    return 2
  }
  const { config, day, domain, organisation, contact, remove, send, today } = options.values
  return withServer({ config, delivers: send }, 'postern tlsrpt', terminal, async (server) => {
    if (send) return sendAll(server, { day, domain, organisation, contact, today }, terminal)
    const { hints } = server.ports
    const reports = tlsReports(hints, {
      organisation: organisation ?? server.facts.primaryHostname,
      contact: contact ?? `postmaster@${server.facts.qualifyDomain}`,
      day,
      domain,
    })
    for (const { report, keys } of reports) {
      terminal.out(encodeUtf8(`${JSON.stringify(report)}\n`))
      if (remove) for (const key of keys) hints.remove('tls', key)
    }
    return 0
  })
}

async function sendAll(
  server: Server,
  { today, ...what }: Omit<TlsReportRun, 'before' | 'tell'> & { readonly today: boolean },
  terminal: Terminal,
): Promise<number> {
  const { sendTlsReports } = await import('../../../server/tls-report-sender.ts')
  const now = server.ports.now()
  const { sent, refused, later } = await sendTlsReports(server, {
    ...what,
    before: new Date(today ? now + 86_400_000 : now).toISOString().slice(0, 10),
    tell(line) {
      terminal.out(encodeUtf8(`${line}\n`))
      server.log.main(undefined, line, { event: 'tls:report' })
    },
  })
  terminal.out(`${sent} sent, ${refused} wanted by nobody, ${later} to be tried again\n`)
  return 0
}

function read(words: readonly string[]) {
  return readWords({
    args: [...words],
    options: {
      config: { type: 'string', short: 'C' },
      day: { type: 'string' },
      domain: { type: 'string' },
      organisation: { type: 'string' },
      contact: { type: 'string' },
      remove: { type: 'boolean', default: false },
      send: { type: 'boolean', default: false },
      today: { type: 'boolean', default: false },
    },
  })
}
