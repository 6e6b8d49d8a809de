/** A daemon with several workers, and one without root: limits hold for the whole, who dies is replaced. */
import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'
import { postern, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const running: { stop(): Promise<void>; remove(): void }[] = []
after(async () => {
  for (const each of running) {
    await each.stop()
    each.remove()
  }
})

const base = `primary_hostname = mx.example
acl_smtp_rcpt = accept
`
async function start(options: string, program?: string): Promise<StartedServer> {
  const folder = temporaryFolder('workers')
  chmodSync(folder.path, 0o777)
  const server = await startServer({
    folder: folder.path,
    configuration: `${base}${options}`,
    ...(program === undefined ? {} : { program: program.replace('FOLDER', folder.path) }),
  })
  running.push({ stop: () => server.stop(), remove: () => folder.remove() })
  return server
}

/** Children of a process that have their own, deepest first. */
function workers(server: StartedServer): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        return Number(/\) \S (\d+)/.exec(stat)?.[1]) === server.process.pid
      } catch {
        return false
      }
    })
}

/** Connects until the server greets with this code. */
async function connectTo(server: StartedServer, code: number): Promise<SmtpClient> {
  const found = await until(async () => {
    const client = await connectSmtp(server.port).catch(() => undefined)
    if (client?.greeting.code === code) return client
    client?.end()
    return undefined
  }, 20_000)
  assert.ok(found, `no ${code}\n${server.log()}`)
  return found
}

test('smtp_accept_max holds for all workers together', async () => {
  const server = await start('daemon_workers = 3\nsmtp_accept_max = 6\nsmtp_accept_max_per_host = 100\n')
  const all = await until(() => (workers(server).length >= 3 ? workers(server) : undefined), 10_000)
  assert.equal(all?.length, 3)
  // The greeting that the start waited for may still be counted.
  const clients: SmtpClient[] = []
  for (let i = 0; i < 6; i++) clients.push(await connectTo(server, 220))
  for (let i = 0; i < 4; i++) {
    const refused = await connectSmtp(server.port)
    assert.equal(
      refused.greeting.raw,
      '421 Too many concurrent SMTP connections; please try again later.\r\n',
    )
    refused.end()
  }
  clients.pop()?.end()
  clients.push(await connectTo(server, 220))
  // A worker that dies takes its connections with it.
  for (const pid of workers(server)) process.kill(pid, 'SIGKILL')
  await server.logged(/worker \d+ ended: SIGKILL; another one takes its place/, 20_000)
  for (let i = 0; i < 6; i++) await connectTo(server, 220)
})

test('smtp_accept_max_per_host holds for all workers together', async () => {
  const server = await start('daemon_workers = 2\nsmtp_accept_max_per_host = 2\n')
  for (let i = 0; i < 2; i++) await connectTo(server, 220)
  const refused = await connectSmtp(server.port)
  assert.match(refused.greeting.raw, /^421 Too many concurrent SMTP connections from this IP address/)
})

test('a worker that dies while the configuration is read again leaves no worker too many, and each start tells of the queue runs', async () => {
  const server = await start('daemon_workers = 2\n')
  const [worker] =
    (await until(() => (workers(server).length >= 2 ? workers(server) : undefined), 10_000)) ?? []
  assert.ok(worker)
  server.process.kill('SIGHUP')
  process.kill(worker, 'SIGKILL')
  await server.logged(/SIGHUP received(?:.*\n)+.*daemon started/, 20_000)
  // The place of the dead one would be taken after half a second.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await until(() => (workers(server).length === 2 ? true : undefined), 10_000)
  assert.equal(workers(server).length, 2)
  assert.doesNotMatch(server.log(), /daemon started: .*no queue runs/)
})

const root = process.getuid?.() === 0
test('without root a worker that dies is replaced, too, and SIGHUP and SIGTERM work', async () => {
  const folder = temporaryFolder('workers-user')
  const program = join(folder.path, 'postern')
  // Whoever runs the tests as root has `setpriv` (util-linux).
  const start_ = root
    ? `exec setpriv --reuid=65534 --regid=65534 --clear-groups ${postern} "$@"`
    : `exec ${postern} "$@"`
  writeFileSync(program, `#!/bin/sh\n${start_}\n`)
  chmodSync(program, 0o755)
  const server = await start('', program)
  const [worker] = workers(server)
  assert.ok(worker)
  process.kill(worker, 'SIGKILL')
  await server.logged(new RegExp(`worker ${worker} ended: SIGKILL; another one takes its place`), 20_000)
  const client = await connectTo(server, 220)
  assert.equal((await client.say('NOOP')).code, 250)
  client.end()
  server.process.kill('SIGHUP')
  await server.logged(/SIGHUP received(?:.*\n)+.*daemon started/, 20_000)
  server.process.kill('SIGTERM')
  await until(() => (server.process.exitCode === null ? undefined : true), 20_000)
  assert.equal(server.process.exitCode, 0)
  folder.remove()
})
