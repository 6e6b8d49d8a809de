/** `postern tlsrpt`: what became of TLS with other domains, as reports of RFC 8460 in JSON. */
import { parseArgs } from 'node:util'
import { encodeUtf8 } from '../../../base/text.ts'
import { tlsReports } from '../../../flow/delivery/tls-reports.ts'
import { ProcessState } from '../../../server/process-state.ts'
import { parseCommandLine } from '../parse.ts'
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
  const { prepareServer } = await import('../prepare-server.ts')
  const parsed = parseCommandLine('postern', [
    ...(values.config === undefined ? [] : ['-C', values.config]),
    '-bpc',
  ])
  if (parsed.is === 'refused') return 1
  const prepared = await prepareServer(
    parsed.invocation,
    terminal,
    process.argv[1] ?? 'postern',
    new ProcessState(),
  )
  if (prepared.is === 'ended') return prepared.exitCode
  const { server } = prepared.call
  const { lowerPrivilege } = await import('../../../server/privileged/helper.ts')
  const lowered = await lowerPrivilege(server, { helper: false, writing: true })
  if ('wrong' in lowered) {
    terminal.err(`postern tlsrpt: ${lowered.wrong}\n`)
    return 1
  }
  try {
    await server.store.openHints()
    const { hints } = server.ports
    const reports = tlsReports(hints, {
      organisation: values.organisation ?? server.facts.primaryHostname,
      contact: values.contact ?? `postmaster@${server.facts.qualifyDomain}`,
      day: values.day,
      domain: values.domain,
    })
    for (const { report, keys } of reports) {
      terminal.out(encodeUtf8(`${JSON.stringify(report)}\n`))
      if (values.remove) for (const key of keys) hints.remove('tls', key)
    }
    return 0
  } finally {
    await server.close()
  }
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
