/**
 * SIGTERM under load: sessions in the middle of a message finish it, deliveries under way are recorded, a client that never
 * ends is cut off at the limit, nobody new is let in; and nothing is lost or comes twice after the next start.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'
import { connectSmtp, type SmtpClient } from '../support/smtp-client.ts'
import { startSink } from '../support/smtp-sink.ts'

const underWay = 20
const inData = 30
/** Sessions have ten seconds, deliveries ten more; the rest is for a busy machine. */
const limitMs = 40_000

const idOf = (data: string): string => /^Message-Id: <(.*)>/im.exec(data)?.[1] ?? ''

test(`SIGTERM with ${inData} sessions in DATA and ${underWay} deliveries under way drains: none is lost, none comes twice`, {
  timeout: 180_000,
}, async (t) => {
  const folder = temporaryFolder('drain')
  const sink = await startSink({ endDelayMs: 3000 })
  const start = (port?: number): Promise<StartedServer> =>
    startServer({
      folder: folder.path,
      ...(port === undefined ? {} : { port }),
      arguments: port === undefined ? [] : ['-q1s'],
      configuration: `primary_hostname = mx.example
daemon_workers = 2
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
begin retry
* * F,1d,1s
`,
    })
  const acknowledged: string[] = []
  const clients: SmtpClient[] = []
  const dialogue = async (): Promise<SmtpClient> => {
    const client = await connectSmtp(server.port, '127.0.0.1', 60_000)
    clients.push(client)
    await client.say('EHLO client.example')
    return client
  }
  let server = await start()
  try {
    const given = await Promise.all(
      Array.from({ length: underWay }, async (_, n) => {
        const client = await dialogue()
        const id = `delivered${n}@source.example`
        const { code } = await client.deliver(
          'a@client.example',
          ['u@d.example'],
          `Message-Id: <${id}>\n\nx\n`,
        )
        client.end()
        return code === 250 ? [id] : []
      }),
    )
    acknowledged.push(...given.flat())
    assert.equal(acknowledged.length, underWay)
    const writing = await Promise.all(
      Array.from({ length: inData + 1 }, async () => {
        const client = await dialogue()
        await client.say('MAIL FROM:<a@client.example>')
        await client.say('RCPT TO:<u@d.example>')
        assert.equal((await client.say('DATA')).code, 354)
        return client
      }),
    )
    const endless = writing.pop()
    endless?.send('Subject: never ends\r\n\r\n')
    // They are with the next hop, which has not said yet what becomes of them.
    await until(() => (sink.messages.length > 0 ? true : undefined), 30_000)

    const { process: daemon } = server
    const from = performance.now()
    daemon.kill('SIGTERM')
    const refused = await until(async () => {
      const client = await connectSmtp(server.port, '127.0.0.1', 1000).catch(() => undefined)
      client?.end()
      return client === undefined ? true : undefined
    }, 30_000)
    assert.ok(refused, 'nobody new is let in')
    const finished = await Promise.all(
      writing.map(async (client, n) => {
        const id = `finished${n}@source.example`
        client.send(`Message-Id: <${id}>\r\n\r\n`)
        await new Promise((resolve) => setTimeout(resolve, 20 * n))
        client.send('x\r\n.\r\n')
        const { code } = await client.reply()
        return code === 250 ? [id] : []
      }),
    )
    assert.equal(finished.flat().length, inData, 'sessions in DATA finish')
    acknowledged.push(...finished.flat())
    await endless?.closed()
    const cutMs = performance.now() - from
    assert.ok(await until(() => (daemon.exitCode === null ? undefined : true), limitMs))
    const endMs = performance.now() - from
    assert.equal(daemon.exitCode, 0, server.log('panic'))
    assert.ok(endMs < limitMs, `${endMs.toFixed(0)} ms`)

    server = await start(server.port)
    const missing = (): string[] => {
      const there = new Set(sink.messages.map(({ data }) => idOf(data)))
      return acknowledged.filter((id) => !there.has(id))
    }
    const running = server
    await until(
      () => (missing().length === 0 && running.command('-bpc').stdout === '0\n' ? true : undefined),
      60_000,
    )
    assert.deepEqual(missing(), [], server.log())
    assert.equal(sink.messages.length, acknowledged.length, 'each came once')
    t.diagnostic(
      `${acknowledged.length} acknowledged; the client that never ends is cut off after ${(cutMs / 1000).toFixed(1)} s, the daemon ends after ${(endMs / 1000).toFixed(1)} s`,
    )
  } finally {
    for (const client of clients) client.end()
    await server.stop()
    await sink.close()
    folder.remove()
  }
})
