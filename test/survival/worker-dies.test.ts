/**
 * One of two workers is killed while it delivers: the other one takes up what it held at once, without a queue run, and another
 * worker takes its place.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { processTree } from '../support/processes.ts'
import { type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'
import { connectSmtp } from '../support/smtp-client.ts'
import { startSink } from '../support/smtp-sink.ts'

/** Worker of this number: its parent told it in its environment. */
function worker(server: StartedServer, number: number): number | undefined {
  return processTree(server.process.pid ?? 0).find(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`POSTERN_WORKER=${number}`)
    } catch {
      return false
    }
  })?.pid
}

const idOf = (data: string): string => /^Message-Id: <(.*)>/im.exec(data)?.[1] ?? ''

for (const number of [0, 1]) {
  test(`worker ${number} of two is killed: the other takes up what it delivered, without a queue run`, {
    skip: existsSync('/proc/self/environ') ? false : 'needs /proc',
    timeout: 120_000,
  }, async (t) => {
    const folder = temporaryFolder('worker-dies')
    let hangs = true
    const sink = await startSink({
      get greeting() {
        return hangs ? 'hang' : '220 back again'
      },
    })
    const server = await startServer({
      folder: folder.path,
      arguments: [],
      configuration: `primary_hostname = mx.example
daemon_workers = 2
log_selector = +pid
smtp_accept_max = 0
smtp_accept_max_per_host = 0
acl_smtp_rcpt = accept
begin routers
out:
  driver = manualroute
  route_data = 127.0.0.1
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = ${sink.port}
  allow_localhost
  hosts_avoid_tls = *
  command_timeout = 5m
`,
    })
    try {
      const victim = await until(() => worker(server, number), 20_000)
      const other = await until(() => worker(server, 1 - number), 20_000)
      assert.ok(victim !== undefined && other !== undefined && victim !== other)
      const taken = (): string[] =>
        [...server.log().matchAll(new RegExp(`\\[${victim}\\] \\S+ <= .* id=(\\S+)`, 'g'))].map(
          ([, id]) => id ?? '',
        )
      let sent = 0
      const enough = await until(async () => {
        const client = await connectSmtp(server.port)
        await client.say('EHLO client.example')
        const message = `Message-Id: <w${sent++}@source.example>\n\nx\n`
        assert.equal((await client.deliver('a@client.example', ['u@d.example'], message)).code, 250)
        client.end()
        return taken().length >= 5 || sent > 35 ? true : undefined
      }, 60_000)
      assert.ok(enough)
      const held = taken()
      assert.ok(held.length > 0, `all went to the other worker: ${server.log()}`)
      // All of them are with the next hop that does not answer.
      await until(() => (sink.connections >= sent ? true : undefined), 30_000)
      assert.ok(sink.connections >= sent, `${sink.connections} of ${sent} deliveries have begun`)

      hangs = false
      const from = performance.now()
      process.kill(victim, 'SIGKILL')
      const arrived = (): string[] =>
        sink.messages.map(({ data }) => idOf(data)).filter((id) => held.includes(id))
      await until(() => (arrived().length >= held.length ? true : undefined), 60_000)
      const waitedMs = performance.now() - from
      assert.deepEqual(arrived().sort(), held.sort(), server.log())
      t.diagnostic(
        `${held.length} messages of a worker that was killed waited ${waitedMs.toFixed(0)} ms at most`,
      )
      assert.ok(waitedMs < 10_000, `${waitedMs.toFixed(0)} ms`)
      await server.logged(/worker \d+ ended: SIGKILL; another one takes its place/, 20_000)
      const again = await until(() => worker(server, number), 20_000)
      assert.ok(again !== undefined && again !== victim, 'another one takes its place')
    } finally {
      await server.stop()
      await sink.close()
      folder.remove()
    }
  })
}
