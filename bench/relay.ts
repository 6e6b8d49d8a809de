/**
 * The whole program under load: messages of 4 KB, one a connection, from Postfix's smtp-source through Postern to
 * Postfix's smtp-sink, with full durability.
 */
import { spawn } from 'node:child_process'
import { fetchDebian, wrapper } from '../test/support/debian.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from '../test/support/server.ts'
import { processes, read } from './process-tree.ts'
import type { Figure } from './run.ts'

const configuration = (sink: number): string => `
primary_hostname = bench.example
tls_advertise_hosts =
smtp_accept_max = 6000
smtp_connect_backlog = 1000
domainlist local_domains = local.example
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  deny local_parts = refused
       message = no such user here
  accept hosts = 127.0.0.0/8
begin routers
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = ${sink}
  allow_localhost
begin retry
* * F,2h,15m
`

export async function run(): Promise<Figure[]> {
  const postfix = fetchDebian(['postfix'])
  if ('missing' in postfix) {
    console.log(`  left out: ${postfix.missing}`)
    return []
  }
  const figures: Figure[] = []
  const sinkPort = await freePort()
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const sink = spawn(
    wrapper(postfix.root, 'usr/sbin/smtp-sink'),
    [...asNobody, `127.0.0.1:${sinkPort}`, '1000'],
    { stdio: 'ignore' },
  )
  const folder = temporaryFolder('bench')
  const server = await startServer({ configuration: configuration(sinkPort), folder: folder.path })
  try {
    for (const sessions of [1, 10, 50]) {
      const messages = sessions === 1 ? 500 : 4000
      const { acceptedMs, doneMs, cpuSeconds } = await pour(server, postfix.root, sessions, messages)
      const name = `${sessions} session${sessions === 1 ? '' : 's'}, 4 KB`
      figures.push(
        {
          name: `${name}: accepted and safe on disk`,
          value: (messages * 1000) / acceptedMs,
          unit: 'messages/s',
        },
        { name: `${name}: relayed`, value: (messages * 1000) / doneMs, unit: 'messages/s' },
        {
          name: `${name}: CPU of all processes`,
          value: (cpuSeconds * 1000) / messages,
          unit: 'ms/message',
        },
      )
    }
  } finally {
    await server.stop()
    sink.kill('SIGKILL')
    folder.remove()
  }
  return figures
}

/** A daemon that messages are poured into. */
export type Poured = Pick<StartedServer, 'port' | 'process' | 'log'>

/** Messages of 4 KB from Postfix's smtp-source, one a connection, until all are accepted, and until all are delivered. */
export async function pour(
  server: Poured,
  postfixRoot: string,
  sessions: number,
  messages: number,
): Promise<{ readonly acceptedMs: number; readonly doneMs: number; readonly cpuSeconds: number }> {
  const cpuBefore = cpuSeconds(server)
  const completedBefore = completed(server)
  const started = performance.now()
  const load = ['-s', String(sessions), '-m', String(messages), '-l', '4096']
  const source = spawn(
    wrapper(postfixRoot, 'usr/sbin/smtp-source'),
    [...load, '-f', 'a@b.example', '-t', 'c@d.example', `127.0.0.1:${server.port}`],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  await new Promise((resolve) => source.once('close', resolve))
  const acceptedMs = performance.now() - started
  await until(() => (completed(server) - completedBefore >= messages ? true : undefined), 120_000)
  return { acceptedMs, doneMs: performance.now() - started, cpuSeconds: cpuSeconds(server) - cpuBefore }
}

function completed(server: Poured): number {
  return server.log().split(' Completed\n').length - 1
}

/** User and system time of the process tree, dead children that were waited for included. */
export function cpuSeconds(server: Pick<StartedServer, 'process'>): number {
  let ticks = 0
  for (const pid of processes(server)) {
    const fields = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /, '')
      .split(' ')
    for (const field of fields.slice(11, 15)) ticks += Number(field)
  }
  return ticks / 100
}
