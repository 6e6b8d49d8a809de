/**
 * The whole program under load: messages of 4 KB, one a connection, from Postfix's smtp-source through Postern to
 * Postfix's smtp-sink, with full durability; and the memory of idle connections.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { fetchDebian, wrapper } from '../test/support/debian.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from '../test/support/server.ts'
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
  for (const count of [2000, 5000]) figures.push(...(await idleConnections(count)))
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
      const cpuBefore = cpuSeconds(server)
      const completedBefore = completed(server)
      const started = performance.now()
      const source = spawn(
        wrapper(postfix.root, 'usr/sbin/smtp-source'),
        [
          '-s',
          String(sessions),
          '-m',
          String(messages),
          '-l',
          '4096',
          '-f',
          'a@b.example',
          '-t',
          'c@d.example',
          `127.0.0.1:${server.port}`,
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      )
      await new Promise((resolve) => source.once('close', resolve))
      const accepted = performance.now()
      await until(() => (completed(server) - completedBefore >= messages ? true : undefined), 120_000)
      const done = performance.now()
      const name = `${sessions} session${sessions === 1 ? '' : 's'}, 4 KB`
      figures.push(
        {
          name: `${name}: accepted and safe on disk`,
          value: (messages * 1000) / (accepted - started),
          unit: 'messages/s',
        },
        { name: `${name}: relayed`, value: (messages * 1000) / (done - started), unit: 'messages/s' },
        {
          name: `${name}: CPU of all processes`,
          value: ((cpuSeconds(server) - cpuBefore) * 1000) / messages,
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

/** On a server just started: what one that has been busy keeps in reserve would hide it. */
async function idleConnections(count: number): Promise<Figure[]> {
  const folder = temporaryFolder('bench-idle')
  const server = await startServer({ configuration: configuration(9), folder: folder.path })
  try {
    return await measureIdle(server, count)
  } finally {
    await server.stop()
    folder.remove()
  }
}

async function measureIdle(server: StartedServer, count: number): Promise<Figure[]> {
  const before = memoryKiB(server)
  const sockets: Socket[] = []
  for (let i = 0; i < count; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = connect(server.port, '127.0.0.1')
        sockets.push(socket)
        await new Promise((resolve) => socket.once('data', resolve))
        socket.write('EHLO idle.example\r\n')
        await new Promise((resolve) => socket.once('data', resolve))
      }),
    )
  }
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const after = memoryKiB(server)
  for (const socket of sockets) socket.destroy()
  return [
    { name: 'memory at rest (PSS of all processes)', value: before / 1024, unit: 'MiB' },
    { name: `memory of an idle connection, of ${count}`, value: (after - before) / count, unit: 'KiB' },
  ]
}

function completed(server: StartedServer): number {
  return server.log().split(' Completed\n').length - 1
}

/** The server and all below it. */
function processes(server: StartedServer): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = read(`/proc/${name}/stat`)
    const parent = /\) \S (\d+)/.exec(stat)?.[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const found = [server.process.pid ?? 0]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found
}

/** User and system time of the process tree, dead children that were waited for included. */
function cpuSeconds(server: StartedServer): number {
  let ticks = 0
  for (const pid of processes(server)) {
    const fields = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /, '')
      .split(' ')
    for (const field of fields.slice(11, 15)) ticks += Number(field)
  }
  return ticks / 100
}

function memoryKiB(server: StartedServer): number {
  return processes(server).reduce(
    (sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0),
    0,
  )
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
