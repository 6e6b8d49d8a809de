/** Options of the smtp transport and others that need a server at the other end, seen through the started program. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { postern, temporaryFolder } from './support/server.ts'
import { type Sink, type SinkScript, startSink } from './support/smtp-sink.ts'

const folder = temporaryFolder('smtp-options')
after(() => folder.remove())
let count = 0

interface Sent {
  readonly log: string
  readonly folder: string
}

/** Hands a message to the program and waits until it has tried to deliver it. */
async function send(
  transport: string,
  to: readonly string[],
  message: string,
  more: { readonly main?: string; readonly flags?: readonly string[]; readonly router?: string } = {},
): Promise<Sent> {
  const home = join(folder.path, `s${++count}`)
  for (const each of ['', 'spool', 'log']) {
    mkdirSync(join(home, each), { recursive: true })
    chmodSync(join(home, each), 0o777)
  }
  const file = join(home, 'exim.conf')
  writeFileSync(
    file,
    `spool_directory = ${home}/spool
log_file_path = ${home}/log/%slog
primary_hostname = mta.example
qualify_domain = mta.example
delay_warning =
${more.main ?? ''}
begin routers
${more.router ?? ''}
all:
  driver = accept
  transport = t
begin transports
t:
${transport.replaceAll('HOME', home)}
begin retry
* * F,2h,15m
`,
    'latin1',
  )
  const child = spawn(postern, ['-C', file, '-odi', '-f', 's@r.example', ...(more.flags ?? []), ...to], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (piece: Buffer) => (complaints += piece.toString('latin1')))
  child.stdin.end(Buffer.from(message, 'latin1'))
  await new Promise((resolve) => child.once('close', resolve))
  const path = join(home, 'log', 'mainlog')
  assert.ok(existsSync(path), complaints)
  return { log: readFileSync(path, 'latin1'), folder: home }
}

async function sink(t: TestContext, script: SinkScript = {}): Promise<Sink> {
  const made = await startSink(script)
  t.after(() => made.close())
  return made
}

const smtp = (port: number, more = ''): string =>
  `  driver = smtp\n  hosts = 127.0.0.1\n  port = ${port}\n  allow_localhost\n  hosts_avoid_tls = *\n${more}`
const simple = 'From: a@b.example\nSubject: x\n\nbody line\n'

test('hosts_try_prdr: each recipient has an answer of its own, and the line says PRDR', async (t) => {
  const server = await sink(t, {
    extensions: ['PIPELINING', 'PRDR'],
    end: () => '353 each for itself\n250 first taken\n550 second refused\n250 done',
  })
  const { log } = await send(smtp(server.port), ['one@x.example', 'two@x.example'], simple)
  assert.ok(server.commands.some(({ line }) => line.endsWith(' PRDR')))
  assert.match(log, /=> one@x\.example .* PRDR C="250 first taken"/)
  assert.match(log, /\*\* two@x\.example .*PRDR error after DATA: 550 second refused/)
})

test('hosts_try_prdr: a server that answers once all the same is believed', async (t) => {
  const server = await sink(t, { extensions: ['PRDR'], end: () => '250 all taken' })
  const { log } = await send(smtp(server.port), ['one@x.example', 'two@x.example'], simple)
  assert.match(log, /=> one@x\.example .*C="250 all taken"/)
  assert.doesNotMatch(log, / PRDR C=/)
})

test('hosts_try_prdr: not asked for where the list does not hold the host', async (t) => {
  const server = await sink(t, { extensions: ['PRDR'] })
  await send(smtp(server.port, '  hosts_try_prdr =\n'), ['one@x.example', 'two@x.example'], simple)
  assert.ok(!server.commands.some(({ line }) => / PRDR/.test(line)))
})

const utf8 = { main: 'allow_utf8_domains\n', flags: [] }
test('SMTPUTF8: an address beyond ASCII goes as it is to a server that knows the extension', async (t) => {
  const server = await sink(t, { extensions: ['SMTPUTF8', '8BITMIME'] })
  await send(smtp(server.port), ['us\u00e9r@x.example'], simple, utf8)
  assert.match(server.messages[0]?.mail ?? '', / SMTPUTF8/)
  assert.equal(server.messages[0]?.rcpts[0], 'RCPT TO:<us\xc3\xa9r@x.example>')
})

test('SMTPUTF8: a domain is sent in its ASCII form to a server that does not', async (t) => {
  const server = await sink(t)
  await send(smtp(server.port), ['user@b\u00fccher.example'], simple, utf8)
  assert.equal(server.messages[0]?.rcpts[0], 'RCPT TO:<user@xn--bcher-kva.example>')
})

test('SMTPUTF8: a local part beyond ASCII that nobody announced goes on as it came, and harms no other recipient', async (t) => {
  const server = await sink(t)
  const { log } = await send(smtp(server.port), ['us\u00e9r@x.example', 'other@x.example'], simple, utf8)
  assert.match(log, /[-=]> other@x\.example/)
  assert.deepEqual([...(server.messages[0]?.rcpts ?? [])].sort(), [
    'RCPT TO:<other@x.example>',
    'RCPT TO:<us\xc3\xa9r@x.example>',
  ])
})

test('utf8_downconvert = 0: nothing is converted', async (t) => {
  const server = await sink(t)
  const transport = smtp(server.port, '  utf8_downconvert = 0\n')
  const { log } = await send(transport, ['user@b\u00fccher.example'], simple, utf8)
  assert.match(log, /\*\* .*utf8 support required but not offered/)
})

test('transport_filter: what is sent is what the filter makes of it', async (t) => {
  const server = await sink(t)
  const filter = '  transport_filter = /bin/sed s/body/BODY/\n'
  const { log } = await send(smtp(server.port, filter), ['u@x.example'], simple)
  assert.match(server.messages[0]?.data ?? '', /Subject: x\r\n.*\r\n\r\nBODY line\r\n/s)
  assert.match(log, /=> u@x\.example/)
})

test('transport_filter: a filter that fails sends nothing', async (t) => {
  const server = await sink(t)
  const { log } = await send(smtp(server.port, '  transport_filter = /bin/false\n'), ['u@x.example'], simple)
  assert.match(log, /== u@x\.example .*defer \(-24\).*transport filter process failed \(1\)/i)
  assert.equal(server.messages.length, 0)
})

test('dnssec_require_domains: a host whose address is not proven gets nothing', async (t) => {
  const server = await sink(t)
  const transport = `  driver = smtp\n  hosts = localhost\n  port = ${server.port}\n  allow_localhost\n  dnssec_require_domains = *\n`
  const { log } = await send(transport, ['u@x.example'], simple)
  assert.match(log, /== u@x\.example .*host lookup for "localhost" done insecurely/)
  assert.equal(server.connections, 0)
})

test('serialize_hosts: the connection is not kept, and the mark is gone afterwards', async (t) => {
  const server = await sink(t)
  const sent = await send(
    smtp(server.port, '  serialize_hosts = *\n'),
    ['u@x.example', 'v@y.example'],
    simple,
  )
  assert.match(sent.log, /=> u@x\.example/)
  assert.equal(server.messages.length, 1)
})

/** A SOCKS 5 proxy that does as it is told. */
async function startProxy(
  t: TestContext,
  reply: number,
): Promise<{ port: number; targets: string[]; login: string[] }> {
  const seen = { port: 0, targets: [] as string[], login: [] as string[] }
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    let stage: 'methods' | 'login' | 'request' = 'methods'
    socket.on('data', (bytes) => {
      if (stage === 'methods') {
        const method = bytes[2] ?? 0
        stage = method === 2 ? 'login' : 'request'
        socket.write(Buffer.from([5, method]))
      } else if (stage === 'login') {
        const nameLength = bytes[1] ?? 0
        const name = bytes.subarray(2, 2 + nameLength).toString()
        seen.login.push(`${name}:${bytes.subarray(3 + nameLength).toString()}`)
        stage = 'request'
        socket.write(Buffer.from([1, 0]))
      } else {
        const address = [...bytes.subarray(4, 8)].join('.')
        const port = bytes.readUInt16BE(8)
        seen.targets.push(`${address}:${port}`)
        socket.removeAllListeners('data')
        socket.write(Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if (reply !== 0) return
        const on = createConnection({ host: address, port })
        sockets.add(on)
        on.on('error', () => undefined)
        socket.pipe(on)
        on.pipe(socket)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  seen.port = typeof address === 'object' && address !== null ? address.port : 0
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return seen
}

test('socks_proxy: the message goes through the proxy, with name and password', async (t) => {
  const server = await sink(t)
  const proxy = await startProxy(t, 0)
  const option = `  socks_proxy = 127.0.0.1 port=${proxy.port} auth=name name=me pass=secret\n`
  const { log } = await send(smtp(server.port, option), ['u@x.example'], simple)
  assert.match(log, /=> u@x\.example/)
  assert.deepEqual(proxy.targets, [`127.0.0.1:${server.port}`])
  assert.deepEqual(proxy.login, ['me:secret'])
  assert.equal(server.messages.length, 1)
})

test('socks_proxy: what the proxy refuses defers', async (t) => {
  const proxy = await startProxy(t, 2)
  const { log } = await send(
    smtp(25, `  socks_proxy = 127.0.0.1 port=${proxy.port}\n`),
    ['u@x.example'],
    simple,
  )
  assert.match(log, /H=127\.0\.0\.1 \[127\.0\.0\.1\] proxy 127\.0\.0\.1: connection not allowed by ruleset/)
  assert.match(log, /== u@x\.example /)
})

test('self = reroute: rewrite: changes the headers of the message', async (t) => {
  const server = await sink(t)
  const router = `short:
  driver = manualroute
  domains = short
  route_list = * 127.0.0.1 byname
  self = reroute: rewrite: long.example
  transport = t
`
  const message = 'From: a@b.example\nTo: U <u@short>\nSubject: x\n\nbody line\n'
  const { log } = await send(smtp(server.port), ['u@short'], message, { router })
  assert.match(log, /=> u@long\.example <u@short>/)
  assert.match(server.messages[0]?.data ?? '', /^To: U <u@long\.example>\r$/m)
})

test('system_filter: headers added stay with the message, the new recipient gets it', async (t) => {
  const server = await sink(t)
  const filter = join(folder.path, 'system.filter')
  writeFileSync(filter, '# Exim filter\nheaders add "X-Seen: yes"\ndeliver w@z.example\n')
  const { log } = await send(smtp(server.port), ['u@x.example'], simple, {
    main: `system_filter = ${filter}`,
  })
  assert.match(log, /original recipients ignored \(system filter\)/)
  assert.match(log, /=> w@z\.example <system-filter>/)
  assert.match(server.messages[0]?.data ?? '', /^X-Seen: yes\r$/m)
})

test('queuefile: both files of the message, as Exim writes them', async () => {
  const transport = '  driver = queuefile\n  directory = HOME/spool\n'
  const { log, folder: home } = await send(transport, ['u@x.example', 'v@y.example'], simple)
  assert.match(log, /=> .*T=t/)
  const id = /(\S+) <=/.exec(log)?.[1] ?? ''
  const header = readFileSync(join(home, 'spool', `${id}-H`), 'latin1')
  assert.match(header, /^u@x\.example$/m)
  assert.match(header, /^v@y\.example$/m)
  assert.equal(readFileSync(join(home, 'spool', `${id}-D`), 'latin1'), `${id}-D\nbody line\n`)
})
