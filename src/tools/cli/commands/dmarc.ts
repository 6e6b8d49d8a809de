/** `postern dmarc report|show|import`: aggregate reports, ours and those of others. */
import { readFileSync } from 'node:fs'
import { systemReason } from '../../../base/system-error.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import type { Server } from '../../../server/server.ts'
import { progress, waiting } from '../progress.ts'
import { readWords } from '../read-words.ts'
import type { Terminal } from '../terminal.ts'
import { withServer } from '../with-server.ts'

export const usage = `usage: postern dmarc report [--today] [--dry-run] [-C FILE]   sends the reports of days that are over
       postern dmarc show [DOMAIN] [-C FILE]                 what is collected, and what others reported
       postern dmarc import FILE... [-C FILE]                takes history files and received reports (.xml .gz .zip)
`
const LARGEST_FILE = 64 * 1024 * 1024

interface Options {
  readonly action: string
  readonly rest: readonly string[]
  readonly config: string | undefined
  readonly today: boolean
  readonly dryRun: boolean
}

export async function run(words: readonly string[], terminal: Terminal): Promise<number> {
  const options = readOptions(words)
  if (typeof options === 'string') {
    terminal.err(encodeUtf8(`postern dmarc: ${options}\n${usage}`))
    return 2
  }
  // Read with the caller's rights, before they are given up.
  const files = options.action === 'import' ? options.rest.map(readFile) : []
  const { action, config } = options
  return withServer({ config, delivers: action === 'report' }, 'postern dmarc', terminal, (server) => {
    if (action === 'show') return show(server, options, terminal)
    if (action === 'import') return importFiles(server, files, terminal)
    return report(server, options, terminal)
  })
}

async function report(server: Server, { today, dryRun }: Options, terminal: Terminal): Promise<number> {
  const { sendAggregateReports } = await import('../../../server/dmarc-reports.ts')
  const now = server.ports.now()
  let shown = waiting(terminal, 'asking and sending')
  const result = await sendAggregateReports(server, {
    // Reports of a day that goes on are for trying things out.
    before: new Date(today ? now + 86_400_000 : now).toISOString().slice(0, 10),
    dryRun,
    tell(line) {
      shown.end()
      terminal.out(`${line}\n`)
      shown = waiting(terminal, 'asking and sending')
      if (!dryRun) server.log.main(undefined, line, { event: 'dmarc:report' })
    },
  }).finally(() => shown.end())
  if (!dryRun)
    terminal.out(`${result.sent} sent, ${result.refused} refused, ${result.later} to be tried again\n`)
  return 0
}

async function show(server: Server, { rest }: Options, terminal: Terminal): Promise<number> {
  const { describeRecords } = await import('../../../server/dmarc-records.ts')
  for (const line of describeRecords(server.ports.hints, rest[0])) terminal.out(`${line}\n`)
  return 0
}

type Read = { readonly name: string } & ({ readonly bytes: Uint8Array } | { readonly problem: string })

function readFile(name: string): Read {
  try {
    const bytes = readFileSync(name)
    return bytes.length > LARGEST_FILE ? { name, problem: 'is too big' } : { name, bytes }
  } catch (error) {
    return { name, problem: systemReason(error) }
  }
}

async function importFiles(server: Server, files: readonly Read[], terminal: Terminal): Promise<number> {
  const { importFile } = await import('../../../server/dmarc-records.ts')
  let wrong = 0
  let read = 0
  const shown = progress(terminal, 'files read', files.length)
  for (const file of files) {
    const done = 'problem' in file ? file : await importFile(server.ports.hints, file.bytes)
    shown.end()
    if ('problem' in done) {
      wrong++
      terminal.err(`${file.name}: ${done.problem}\n`)
    } else terminal.out(`${file.name}: ${done.said}\n`)
    shown.at(++read)
  }
  shown.end()
  return wrong === 0 ? 0 : 1
}

function readOptions(words: readonly string[]): Options | string {
  const read = readWords({
    args: [...words],
    allowPositionals: true,
    options: {
      config: { type: 'string', short: 'C' },
      today: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  })
  if ('wrong' in read) return read.wrong
  const { values, positionals } = read
  const [action = '', ...rest] = positionals
  const fits =
    action === 'report'
      ? rest.length === 0
      : action === 'show'
        ? rest.length <= 1
        : action === 'import' && rest.length > 0
  if (!fits) return action === '' ? 'report, show or import?' : `${action}: not with these arguments`
  return { action, rest, config: values.config, today: values.today, dryRun: values['dry-run'] }
}
