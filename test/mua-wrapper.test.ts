/** `mua_wrapper`: one delivery at once or not at all, beside Exim 4.96 where there is one. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, postern, temporaryFolder } from './support/server.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'

const exim = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'
const skip = !existsSync(exim)
  ? `no Exim at ${exim}`
  : process.getuid?.() !== 0
    ? 'needs root, to start Exim with a configuration of its own'
    : false

const folder = temporaryFolder('mua-wrapper')
let sink: Sink
let gone: number

before(async () => {
  gone = await freePort()
  sink = await startSink({
    rcpt(line) {
      const [, localPart = ''] = /<([^@>]*)/.exec(line) ?? []
      if (localPart.startsWith('good')) return '250 ok'
      return localPart === 'later' ? '450 later' : `550 no ${localPart}`
    },
    end: ({ data }) =>
      data.includes('REJECT') ? '550 content' : data.includes('DEFER') ? '451 data later' : '250 taken id=1',
  })
})
after(async () => {
  await sink?.close()
  folder.remove()
})

function configuration(home: string, options: string): string {
  return `spool_directory = ${home}/spool
log_file_path = ${home}/log/%slog
primary_hostname = mx.test.example
qualify_domain = test.example
keep_environment =
mua_wrapper
queue_only
trusted_users = root
log_selector = -tls_cipher
acl_smtp_rcpt = accept
acl_not_smtp = accept control = freeze
${options}
begin routers
fail:
  driver = redirect
  domains = fail.example
  data = :fail: no such
  allow_fail
defer:
  driver = redirect
  domains = defer.example
  data = :defer: not now
  allow_defer
alias:
  driver = redirect
  domains = alias.example
  data = good1@far.example, good2@far.example
black:
  driver = redirect
  domains = black.example
  data = :blackhole:
local:
  driver = accept
  domains = local.example
  transport = mbox
gone:
  driver = manualroute
  domains = gone.example
  route_list = * 127.0.0.1::${gone}
  self = send
  transport = out
two:
  driver = manualroute
  domains = two.example
  route_list = * "127.0.0.1::${gone}:127.0.0.1::${sink.port}"
  self = send
  transport = out
errs:
  driver = manualroute
  domains = errs.example
  route_list = * 127.0.0.1::${sink.port}
  errors_to = other@test.example
  self = send
  transport = out
headers:
  driver = manualroute
  domains = headers.example
  route_list = * 127.0.0.1::${sink.port}
  headers_add = X-A: b
  self = send
  transport = out
other:
  driver = manualroute
  domains = other.example
  route_list = * 127.0.0.1::${sink.port}
  self = send
  transport = out2
far:
  driver = manualroute
  route_list = * 127.0.0.1::${sink.port}
  fallback_hosts = 127.0.0.1::${sink.port}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
out2:
  driver = smtp
  allow_localhost
mbox:
  driver = appendfile
  file = ${home}/box
begin retry
* * F,1h,5m
`
}

interface Said {
  readonly status: number | null
  readonly stderr: string
  readonly log: readonly string[]
}

async function run(program: string, args: readonly string[], input: string): Promise<Said> {
  const home = join(folder.path, program === postern ? 'postern' : 'exim')
  for (const each of [home, join(home, 'log')]) {
    mkdirSync(each, { recursive: true })
    chmodSync(each, 0o777)
  }
  const file = join(home, 'exim.conf')
  writeFileSync(file, configuration(home, ''))
  const mainLog = join(home, 'log', 'mainlog')
  const before = existsSync(mainLog) ? readFileSync(mainLog, 'latin1').length : 0
  const child = spawn(program, ['-C', file, ...args], { cwd: '/' })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')))
  child.stdout.resume()
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [status] = await once(child, 'close')
  const log = existsSync(mainLog) ? readFileSync(mainLog, 'latin1').slice(before) : ''
  return {
    status: Number(status),
    stderr,
    log: log
      .split('\n')
      .map(plain)
      .filter((line) => line !== ''),
  }
}

/** Without what differs from run to run, and between the two programs. */
function plain(line: string): string {
  return line
    .replace(/^\S+ \S+ (?:[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} )?/, '')
    .replaceAll(/ S=\d+| (?:QT|DT|RT)=\S+| id\*?=\S+/g, '')
    .replace(/^-> /, '=> ')
    .replace(/ C="([^"]*)"/, ' C')
    .replace(' P=local S=', ' P=local')
}

const rows: readonly (readonly [says: string, recipients: readonly string[], text?: string])[] = [
  ['one recipient', ['good@far.example']],
  ['two', ['good1@far.example', 'good2@far.example']],
  ['an alias', ['x@alias.example']],
  ['a refused recipient', ['bad@far.example']],
  ['one refused of two', ['good@far.example', 'bad@far.example']],
  ['refused for good, taken, refused for now', ['bad@far.example', 'good@far.example', 'later@far.example']],
  ['refused for now', ['later@far.example']],
  ['a refused message', ['good@far.example'], 'REJECT'],
  ['a message refused for now', ['good@far.example'], 'DEFER'],
  ['a host that does not answer', ['good@gone.example']],
  ['the second of two hosts', ['good@two.example']],
  ['routing fails', ['x@fail.example']],
  ['routing defers', ['x@defer.example']],
  ['routing fails for one of two', ['good@far.example', 'x@fail.example']],
  ['a local delivery', ['x@local.example']],
  ['a black hole', ['x@black.example']],
  ['a black hole and a host', ['x@black.example', 'good@far.example']],
  ['two transports', ['good@far.example', 'good@other.example']],
  ['two lists of hosts', ['good@far.example', 'good@two.example']],
  ['two return addresses', ['good@far.example', 'good@errs.example']],
  ['added headers for one', ['good@far.example', 'good@headers.example']],
  ['added headers for all', ['good@headers.example']],
  ['-odq has no effect', ['-odq', 'good@far.example']],
]

for (const [says, recipients, text = 'body'] of rows) {
  test(`mua_wrapper as Exim: ${says}`, { skip, timeout: 120_000 }, async () => {
    const input = `Subject: x\n\n${text}\n`
    const expected = await run(exim, recipients, input)
    const found = await run(postern, recipients, input)
    assert.deepEqual(found, expected)
  })
}

test('mua_wrapper: nothing is sent when one recipient is refused, and nothing stays', async () => {
  const heard = sink.commands.length
  const said = await run(postern, ['good@far.example', 'bad@far.example'], 'Subject: x\n\nbody\n')
  assert.equal(said.status, 1)
  assert.equal(
    said.stderr,
    'Delivery failed: H=127.0.0.1 [127.0.0.1]: SMTP error from remote mail server after RCPT TO:<bad@far.example>: 550 no bad\n',
  )
  const commands = sink.commands.slice(heard).map(({ line }) => line)
  assert.ok(!commands.some((line) => /^(DATA|BDAT)/i.test(line)), commands.join('\n'))
  const { log } = await run(postern, ['-bp'], '')
  assert.deepEqual(log, [])
})

test('mua_wrapper: messages in a dialogue are delivered, and a failure shows in the exit code', async () => {
  const message = (to: string): string =>
    `MAIL FROM:<a@test.example>\r\nRCPT TO:<${to}>\r\nDATA\r\nS: x\r\n\r\nb\r\n.\r\n`
  const good = await run(postern, ['-bs'], `EHLO x\r\n${message('good@far.example')}QUIT\r\n`)
  assert.equal(good.status, 0, good.stderr)
  const bad = await run(postern, ['-bs'], `EHLO x\r\n${message('bad@far.example')}QUIT\r\n`)
  assert.equal(bad.status, 1)
  assert.match(bad.stderr, /^Delivery failed: /)
})

test('mua_wrapper: no daemon, and nothing from inetd', { timeout: 120_000 }, async () => {
  for (const args of [['-bd'], ['-bdf'], ['-q1h']]) {
    const { status, stderr } = await run(postern, args, '')
    assert.deepEqual([status, stderr], [1, 'Daemon cannot be run when mua_wrapper is set\n'])
  }
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const client = connect(port, '127.0.0.1')
  const [socket] = (await once(listener, 'connection')) as [Socket]
  const child = spawn(postern, ['-C', join(folder.path, 'postern', 'exim.conf'), '-bs'], {
    stdio: [socket, 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')))
  const [status] = await once(child, 'close')
  client.destroy()
  socket.destroy()
  listener.close()
  assert.deepEqual([status, stderr], [1, 'Input from inetd is not supported when mua_wrapper is set\n'])
})
