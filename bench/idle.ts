/**
 * What an idle connection costs: many connections without TLS, each after EHLO, on a server just started; then what
 * is left of them once they have had a recipient refused, and once they are gone.
 */
import { connect, type Socket } from 'node:net'
import { type StartedServer, startServer, temporaryFolder } from '../test/support/server.ts'
import { memoryKiB } from './process-tree.ts'
import type { Figure } from './run.ts'

const configuration = `
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
`

export async function run(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const count of [2000, 5000]) {
    const folder = temporaryFolder('bench-idle')
    // On a server just started: what one that has been busy keeps in reserve would hide it.
    const server = await startServer({ configuration, folder: folder.path })
    try {
      figures.push(...(await measure(server, count)))
    } finally {
      await server.stop()
      folder.remove()
    }
  }
  return figures
}

async function measure(server: StartedServer, count: number): Promise<Figure[]> {
  const atRest = memoryKiB(server)
  const sockets = await connectAll(server.port, count)
  await settle()
  const idle = memoryKiB(server)
  for (const line of ['MAIL FROM:<a@b.example>', 'RCPT TO:<refused@local.example>', 'RSET'])
    await eachHundred(sockets, (socket) => say(socket, line))
  await settle()
  const refused = memoryKiB(server)
  for (const socket of sockets) socket.destroy()
  await settle(15_000)
  const gone = memoryKiB(server)
  const again = await connectAll(server.port, count)
  await settle()
  const secondTime = memoryKiB(server)
  for (const socket of again) socket.destroy()
  const each = (now: number): number => (now - atRest) / count
  return [
    { name: 'memory at rest (PSS of all processes)', value: atRest / 1024, unit: 'MiB' },
    { name: `memory of an idle connection, of ${count}`, value: each(idle), unit: 'KiB' },
    { name: `the same once each had a recipient refused, of ${count}`, value: each(refused), unit: 'KiB' },
    { name: `what is kept 15 s after they are gone, for each of ${count}`, value: each(gone), unit: 'KiB' },
    { name: `as many connections once more, of ${count}`, value: each(secondTime), unit: 'KiB' },
  ]
}

/** Garbage of the busy moments before is not counted: the server collects it when it rests. */
function settle(ms = 1000): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function connectAll(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  await eachHundred(Array.from({ length: count }), async () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await new Promise((resolve) => socket.once('data', resolve))
    await say(socket, 'EHLO idle.example')
  })
  return sockets
}

async function eachHundred<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < all.length; i += 100) await Promise.all(all.slice(i, i + 100).map(act))
}

async function say(socket: Socket, line: string): Promise<void> {
  socket.write(`${line}\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
}
