/**
 * Events of deliveries, held against Exim 4.96 with the same configuration and the same servers: which events, their
 * data, error numbers, hosts, addresses, routers and transports. Needs root, since Exim gives up its rights for
 * another's configuration.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventScenarios } from './support/event-scenarios.ts'
import { postern, temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
const skip = !existsSync(exim)
  ? `no Exim at ${exim}`
  : process.getuid?.() !== 0
    ? 'needs root, to start Exim with a configuration of its own'
    : false

const refuseConnect = '${if eq{$event_name}{tcp:connect}{no connection}{${acl{ev}}}}'
const refuseGreeting = '${if eq{$event_name}{smtp:connect}{no smtp}{${acl{ev}}}}'
const broken = '${if match{$event_name}{:(delivery|defer)\\$}{${lookup{x}lsearch{/nonexistent}}}}'
const forced = '${if eq{$event_name}{msg:delivery}{${if eq{a}{b}{x}fail}}{${acl{ev}}}}'

interface Case {
  readonly to: string
  readonly action?: string
  /** A difference: lines that are not compared, and why. */
  readonly differs?: { readonly lines: RegExp; readonly since: string }
}

const cases: readonly Case[] = [
  { to: 'a@ok.test b@ok.test' },
  { to: 'a@refused.test' },
  { to: 'a@greet4.test' },
  { to: 'a@greet5.test' },
  { to: 'a@mail4.test' },
  { to: 'a@mail5.test' },
  { to: 'bad@rcpt4.test a@rcpt4.test' },
  { to: 'bad@rcpt4.test' },
  { to: 'bad@rcpt5.test a@rcpt5.test' },
  { to: 'a@data4.test' },
  { to: 'a@data5.test b@data5.test' },
  { to: 'a@end4.test' },
  { to: 'a@end5.test' },
  { to: 'a@drop.test' },
  { to: 'a@hang.test' },
  { to: 'a@fail.test' },
  { to: 'a@local.test' },
  {
    to: 'a@full.test',
    differs: {
      lines: /^EV msg:rcpt:defer|^==/,
      since: 'a local deferral raises nothing in Exim; here it is a deferral of the recipient',
    },
  },
  {
    to: 'a@pipe.test',
    differs: { lines: /^EV msg:fail/, since: 'Exim does not tell why a local delivery failed' },
  },
  { to: 'nobody@elsewhere.example' },
  {
    to: 'a@ok.test',
    action: refuseConnect,
    differs: { lines: /^EV msg:(?:host:)?defer/, since: 'Exim leaves the data empty' },
  },
  { to: 'a@ok.test', action: refuseGreeting },
  { to: 'a@ok.test b@ok.test', action: broken },
  { to: 'a@refused.test', action: broken },
  {
    to: 'a@ok.test',
    action: forced,
    differs: { lines: /^failed to expand/, since: 'requirement T8: a forced failure is silent' },
  },
]

test('events as Exim raises them', { skip }, async (t) => {
  const folder = temporaryFolder('events-exim')
  try {
    for (const [i, { to, action = '${acl{ev}}', differs }] of cases.entries()) {
      await t.test(action === '${acl{ev}}' ? to : `${to} with ${action}`, async () => {
        const world = await eventScenarios(action)
        try {
          const real = await deliver(exim, join(folder.path, `exim${i}`), world.configuration, to)
          const ours = await deliver(postern, join(folder.path, `postern${i}`), world.configuration, to)
          const compared = (lines: readonly string[]): readonly string[] =>
            differs === undefined ? lines : lines.filter((line) => !differs.lines.test(line))
          assert.deepEqual(compared(ours), compared(real))
        } finally {
          await world.close()
        }
      })
    }
  } finally {
    folder.remove()
  }
})

/** What the log tells of events, of hosts and of the first deliveries of the message. */
async function deliver(
  program: string,
  folder: string,
  configuration: string,
  to: string,
): Promise<readonly string[]> {
  for (const each of ['', 'spool', 'log']) {
    mkdirSync(join(folder, each), { recursive: true })
    chmodSync(join(folder, each), 0o777)
  }
  const own = program === exim ? `exim_path = ${exim}\n` : ''
  const file = join(folder, 'exim.conf')
  const head = `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/log/%slog\nkeep_environment =\n${own}`
  writeFileSync(file, head + configuration.replaceAll('BOX', join(folder, 'box')))
  await run(program, ['-C', file, '-odq', '-f', '', ...to.split(' ')], 'Subject: x\n\nhello\n')
  await run(program, ['-C', file, '-q'], '')
  const log = readFileSync(join(folder, 'log', 'mainlog'), 'latin1')
  const lines = log.split('\n').map((line) => line.replace(/^\S+ \S+ \S+ /, ''))
  return lines
    .filter((line) => /^(?:EV |H=|=>|->|==|\*\*|failed to expand)/.test(line))
    .map((line) => forComparison(line.replace(/SIZE=\d+/, 'SIZE=N').replace(/ for postern| for exim/, '')))
    .sort()
}

/** Exim leaves the router and the only address out of what concerns a connection, and the host in what does not. */
function forComparison(line: string): string {
  const fields = line.split('|')
  const event = fields[0] ?? ''
  if (/^EV (?:tcp|smtp):/.test(event)) return [event, fields[1], fields[3], fields[4]].join('|')
  if (event === 'EV msg:complete') return event
  return line
}

async function run(program: string, args: readonly string[], input: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'] })
  child.stdin.end(input)
  await new Promise<void>((resolve) => child.once('close', () => resolve()))
}
