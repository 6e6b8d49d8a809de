/** Option event_stream: every event as a JSON line, at least once, in order, kept while the consumer is away. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { startSink } from './support/smtp-sink.ts'

interface Event {
  readonly n: string
  readonly event: string
  readonly id?: string
  readonly [field: string]: unknown
}

interface Place {
  readonly folder: string
  start(target: string, more?: string): Promise<StartedServer>
  send(server: StartedServer, to: string): Promise<void>
  close(): Promise<void>
}

async function place(): Promise<Place> {
  const folder = temporaryFolder('stream')
  const sink = await startSink()
  const out = join(folder.path, 'out')
  mkdirSync(out)
  chmodSync(out, 0o777)
  let server: StartedServer | undefined
  return {
    folder: out,
    async start(target, more = '') {
      server = await startServer({
        folder: folder.path,
        configuration: `
primary_hostname = mta.example
acl_smtp_rcpt = ok
event_stream = ${target}
${more}
begin acl
ok:
  accept
begin routers
nowhere:
  driver = redirect
  domains = fail.test
  allow_fail
  data = :fail: no such place
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
begin retry
* * F,1h,15m
`,
      })
      return server
    },
    async send(to_, to) {
      const client = await connectSmtp(to_.port)
      await client.say('EHLO client.example')
      assert.equal((await client.deliver('s@from.example', [to], 'Subject: x\r\n\r\nhello\r\n')).code, 250)
      client.end()
    },
    async close() {
      await server?.stop()
      await sink.close()
      folder.remove()
    },
  }
}

function read(file: string): Event[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Event => JSON.parse(line))
}

const ofDelivery = ['tcp:connect', 'smtp:connect', 'smtp:ehlo', 'msg:delivery', 'msg:complete']

test('to a file: one JSON line an event, in the order of each message, with what the log line says', async () => {
  const it = await place()
  try {
    const file = join(it.folder, 'events')
    const server = await it.start(file)
    await it.send(server, 'a@there.example')
    await until(() => (read(file).some(({ event }) => event === 'msg:complete') ? true : undefined), 15_000)
    const events = read(file).filter(({ event }) => event !== 'tcp:close')
    assert.deepEqual(
      events.map(({ event }) => event),
      ofDelivery,
    )
    const { n, time, id, host_port, ...delivery } = events[3] as Event
    assert.deepEqual(delivery, {
      event: 'msg:delivery',
      data: '250 2.0.0 taken',
      sender: 's@from.example',
      local_part: 'a',
      domain: 'there.example',
      router: 'remote',
      transport: 'out',
      host: '127.0.0.1',
      host_address: '127.0.0.1',
      client: '127.0.0.1',
    })
    assert.match(server.log(), new RegExp(`${id} => a@there\\.example`))
    assert.ok(typeof n === 'string' && typeof time === 'string' && typeof host_port === 'number')
  } finally {
    await it.close()
  }
})

test('to a URL: what the consumer refuses or misses is kept, over a SIGKILL too, and comes when it is back', async () => {
  const it = await place()
  const got: Event[] = []
  let refusing = true
  const port = await freePort()
  const consumer = createHttp((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    request.on('end', () => {
      if (!refusing)
        got.push(
          ...body
            .trim()
            .split('\n')
            .map((line): Event => JSON.parse(line)),
        )
      response.writeHead(refusing ? 503 : 204).end()
    })
  })
  try {
    const first = await it.start(`http://127.0.0.1:${port}/events`)
    await it.send(first, 'a@there.example')
    await first.logged(/event_stream: the consumer is away, events are kept: /)
    await first.logged(/Completed/)
    await first.kill()
    await new Promise<void>((resolve) => consumer.listen(port, '127.0.0.1', resolve))
    const second = await it.start(`http://127.0.0.1:${port}/events`)
    await it.send(second, 'b@there.example')
    await second.logged(/event_stream: the consumer is away, events are kept: answered 503/)
    await second.logged(/b@there[^]*Completed/)
    refusing = false
    await until(
      () => (got.filter(({ event }) => event === 'msg:complete').length === 2 ? true : undefined),
      20_000,
    )
    await second.logged(/event_stream: the consumer is back/)
    const ids = [...new Set(got.map(({ id }) => id))]
    assert.equal(ids.length, 2)
    for (const id of ids) {
      const names = got
        .filter((event) => event.id === id && event.event !== 'tcp:close')
        .map(({ event }) => event)
      assert.deepEqual(names, ofDelivery)
    }
    assert.equal(new Set(got.map(({ n }) => n)).size, got.length)
  } finally {
    consumer.closeAllConnections()
    consumer.close()
    await it.close()
  }
})

test('to a Unix socket: a consumer that breaks off gets the same lines again', async () => {
  const it = await place()
  const path = join(it.folder, 'socket')
  const got: string[] = []
  let calls = 0
  const sockets = new Set<Socket>()
  const consumer = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    if (calls++ === 0) return void socket.once('data', () => socket.destroy())
    let text = ''
    socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
    socket.on('end', () => {
      got.push(...text.trim().split('\n'))
      socket.end('ok\n')
    })
  })
  try {
    await new Promise<void>((resolve) => consumer.listen(path, resolve))
    chmodSync(path, 0o777)
    const server = await it.start(`unix:${path}`)
    await it.send(server, 'a@there.example')
    await until(() => (got.some((line) => line.includes('msg:complete')) ? true : undefined), 20_000)
    const names = got.map((line) => (JSON.parse(line) as Event).event).filter((name) => name !== 'tcp:close')
    assert.deepEqual(names, ofDelivery)
    assert.ok(calls >= 2)
  } finally {
    for (const socket of sockets) socket.destroy()
    consumer.close()
    await it.close()
  }
})

test('what waits for its consumer is bounded, and what did not fit is counted', async () => {
  const it = await place()
  try {
    const file = join(it.folder, 'missing', 'events')
    const server = await it.start(file, 'event_stream_size = 1K')
    for (let i = 0; i < 8; i++) await it.send(server, `u${i}@fail.test`)
    await server.logged(/event_stream: an event cannot be kept \(no room: event_stream_size\)/)
    await server.logged(/event_stream: the consumer is away, events are kept/)
    const folder = join(server.folder, 'spool', 'events')
    const bytes = readdirSync(folder)
      .filter((name) => /^\d/.test(name))
      .reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0)
    assert.ok(bytes <= 1024, String(bytes))
    mkdirSync(join(it.folder, 'missing'))
    chmodSync(join(it.folder, 'missing'), 0o777)
    await server.logged(/event_stream: the consumer is back/, 60_000)
    // How full it is is looked at every two seconds; messages that come faster fill it again.
    await until(async () => {
      await it.send(server, 'a@there.example')
      await new Promise((resolve) => setTimeout(resolve, 1500))
      return read(file).some(({ event }) => event === 'stream:lost') ? true : undefined
    }, 60_000)
    const lost = read(file).find(({ event }) => event === 'stream:lost')
    assert.ok(Number(lost?.count) > 0)
  } finally {
    await it.close()
  }
})

test('a place that cannot be meant is refused when the configuration is read', async () => {
  const it = await place()
  try {
    await assert.rejects(
      it.start('ftp://there'),
      /event_stream "ftp:\/\/there" names no place that events can go to/,
    )
    rmSync(it.folder, { recursive: true, force: true })
  } finally {
    await it.close()
  }
})
