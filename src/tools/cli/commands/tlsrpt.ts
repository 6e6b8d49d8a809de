/** `postern tlsrpt`: what became of TLS with other domains, as reports of RFC 8460 in JSON. */
import { parseArgs } from 'node:util'
import { encodeUtf8 } from '../../../base/text.ts'
import { tlsReports } from '../../../flow/delivery/tls-reports.ts'
import { withServer } from '../with-server.ts'
import type { Terminal } from '../terminal.ts'

const usage = `usage: postern tlsrpt [-C FILE] [--day YYYY-MM-DD] [--domain DOMAIN] [--organisation NAME] [--contact ADDRESS] [--remove]
  one JSON object a line, one for each day and domain; what was counted with tls_rpt of smtp transports
  --remove     forgets what was shown
`

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  let values: ReturnType<typeof read>
  try {
    values = read(words)
  } catch (error) {
    terminal.err(`postern tlsrpt: ${error instanceof Error ? error.message : String(error)}\n${usage}`)
    return 2
  }
  const { config, day, domain, organisation, contact, remove } = values
  return withServer({ config }, 'postern tlsrpt', terminal, (server) => {
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
    return Promise.resolve(0)
  })
}

function read(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    options: {
      config: { type: 'string', short: 'C' },
      day: { type: 'string' },
      domain: { type: 'string' },
      organisation: { type: 'string' },
      contact: { type: 'string' },
      remove: { type: 'boolean', default: false },
    },
  }).values
}
