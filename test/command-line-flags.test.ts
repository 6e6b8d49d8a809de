/** Flags that change how one call receives, queues and logs; each observed beside Exim 4.96. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { postern, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('flags')
after(() => folder.remove())
const root = process.getuid?.() === 0
/** Each test has a folder: deliveries of the one before may still be under way. */
let place = ''
let configuration = ''
let count = 0
function configure(more: string = ''): void {
  writeFileSync(
    configuration,
    `spool_directory = ${place}/spool
log_file_path = ${place}/log/%slog
pid_file_path = ${place}/daemon.pid
primary_hostname = mx.example
qualify_domain = local.example
keep_environment =
acl_smtp_rcpt = accept
${more}
begin routers
near:
  driver = accept
  domains = local.example
  transport = nowhere
far:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
nowhere:
  driver = appendfile
  file = ${place}/mail/box
  ${root ? 'user = mail' : ''}
out:
  driver = smtp
  port = 2
  allow_localhost
`,
  )
}
beforeEach(() => {
  place = join(folder.path, String(++count))
  mkdirSync(join(place, 'mail'), { recursive: true })
  chmodSync(join(place, 'mail'), 0o777)
  configuration = join(place, 'exim.conf')
})

function call(words: readonly string[], input: string = '', cwd?: string) {
  const done = spawnSync(postern, words, { encoding: 'latin1', input, timeout: 60_000, cwd })
  return { status: done.status, stdout: done.stdout, stderr: done.stderr }
}
const log = (name: string = 'main'): string => {
  const path = join(place, 'log', `${name}log`)
  return existsSync(path) ? readFileSync(path, 'latin1') : ''
}
const deferrals = (): string[] => log().match(/(?<= )==.*/g) ?? []
const message = 'Subject: x\n\nhi\n'

const queued = 'first-pass only routing due to -odqs, queue_smtp_domains or control=queue'
const explicit = 'SMTP delivery explicitly queued'
const cases: readonly {
  says: string
  options?: string
  flags?: readonly string[]
  to: string
  deferred: readonly string[]
}[] = [
  {
    says: '-odqs routes and delivers locally, and leaves what goes out by SMTP',
    flags: ['-odqs'],
    to: 'a@local.example b@far.example',
    deferred: [`== b@far.example R=far T=out defer (0): ${explicit}`],
  },
  {
    says: 'queue_smtp_domains leaves its domains alone',
    options: 'queue_smtp_domains = far.example',
    to: 'a@local.example b@far.example c@other.example',
    deferred: [
      `== b@far.example R=far T=out defer (-1): ${queued}`,
      '== c@other.example R=far T=out defer (111): Connection refused',
    ],
  },
  {
    says: 'queue_domains leaves its domains unrouted',
    options: 'queue_domains = local.example',
    to: 'a@local.example',
    deferred: ['== a@local.example routing defer (-56): domain is in queue_domains'],
  },
  {
    says: 'hold_domains holds',
    options: 'hold_domains = held.example',
    to: 'e@held.example',
    deferred: ['== e@held.example defer (-23): domain is held'],
  },
  {
    says: 'a file of queue_only_file with smtp before it works as -odqs',
    options: 'queue_only_file = smtp/etc/passwd',
    to: 'a@local.example b@far.example',
    deferred: [`== b@far.example R=far T=out defer (0): ${explicit}`],
  },
]
for (const { says, options, flags = [], to, deferred } of cases) {
  test(`queueing: ${says}`, () => {
    configure(options)
    const done = call(['-C', configuration, '-odi', ...flags, ...to.split(' ')], message)
    assert.deepEqual([done.status, done.stderr], [0, ''])
    assert.deepEqual(deferrals().toSorted(), deferred.toSorted())
    if (to.startsWith('a@') && !(options ?? '').startsWith('queue_domains')) {
      assert.match(log(), /=> a <a@local\.example> R=near/)
    }
  })
}

test('queueing: a queue run sends what -odqs left', () => {
  configure()
  call(['-C', configuration, '-odi', '-odqs', 'b@far.example'], message)
  call(['-C', configuration, '-qf'])
  assert.match(log(), /b@far\.example R=far T=out defer \(111\): Connection refused/)
})

test('queueing: -odqs works in the background, with the configuration named from another folder', async () => {
  configure()
  assert.equal(call(['-C', 'exim.conf', '-odqs', 'b@far.example'], message, place).status, 0)
  const found = await until(() => (deferrals().length > 0 ? deferrals() : undefined), 20_000)
  assert.deepEqual(found, [`== b@far.example R=far T=out defer (0): ${explicit}`])
})

test('queueing: -odqs gives way to queue_only when queue_only_override is off', () => {
  configure('queue_only\nno_queue_only_override')
  call(['-C', configuration, '-odi', '-odqs', 'a@local.example'], message)
  assert.doesNotMatch(log(), /=>|==/)
})

test('queueing: -odi does not override queue_only_load', () => {
  configure('queue_only_load = 0')
  call(['-C', configuration, '-odi', 'a@local.example'], message)
  if (loadavg()[0] !== 0) assert.match(log(), /no immediate delivery: load average \d+\.\d\d/)
})

// The words of Exim 4.96 for a message that its daemon takes.
test('queueing: control = queue/first_pass_route delivers locally and leaves what goes out by SMTP', () => {
  configure('acl_not_smtp = accept control = queue/first_pass_route\nlog_selector = +delay_delivery')
  call(['-C', configuration, '-odi', 'a@local.example', 'b@far.example'], message)
  assert.match(log(), /no immediate delivery: queued by ACL\n/)
  assert.match(log(), /=> a <a@local\.example>/)
  assert.deepEqual(deferrals(), [`== b@far.example R=far T=out defer (0): ${explicit}`])
})

test('queueing: a load above queue_only_load is held on to for the connection', () => {
  configure('queue_only_load = 0\nlog_selector = +delay_delivery')
  const session = 'EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@local.example>\r\nDATA\r\n.\r\nQUIT\r\n'
  call(['-C', configuration, '-bs'], session)
  if (loadavg()[0] !== 0) assert.match(log(), /no immediate delivery: load average \d+\.\d\d/)
})

test('-oMm ties a message to another one in the log, and must be a message id', () => {
  configure()
  const wrong = call(['-C', configuration, '-oMm', 'wrong', 'a@local.example'], message)
  assert.deepEqual([wrong.status, wrong.stderr], [1, '-oMm must be a valid message ID\n'])
  call(['-C', configuration, '-odq', '-oMm', '1abcde-000fgh-ZZ', 'a@local.example'], message)
  assert.match(log(), /<= \S+ R=1abcde-000fgh-ZZ U=/)
})

test('-z writes its argument to the main log', () => {
  configure()
  assert.equal(
    call(['-C', configuration, '-z', 'moved the queue']).status,
    root ? 0 : call(['-C', configuration, '-z', 'x']).status,
  )
  if (root) assert.match(log(), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d moved the queue$/m)
})

test('-os limits how long an SMTP client may be silent, and its value is checked', async () => {
  configure()
  const wrong = call(['-C', configuration, '-os', '5x', '-bs'])
  assert.deepEqual([wrong.status, wrong.stderr], [1, 'postern: bad time value 5x: abandoned\n'])
  const child = spawn(postern, ['-C', configuration, '-os1s', '-bs'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString('latin1')))
  const status = await new Promise((resolve) => child.once('close', resolve))
  assert.match(output, /^421 mx\.example: SMTP command timeout - closing connection\r$/m)
  assert.equal(status, 1)
})

for (const [says, input, status] of [
  ['that ends with QUIT', 'EHLO x\r\nQUIT\r\n', 0],
  ['whose input ends', 'EHLO x\r\n', 1],
  ['whose input ends inside a transaction', 'EHLO x\r\nMAIL FROM:<a@b.example>\r\n', 1],
  [
    'whose input ends inside a message',
    'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@local.example>\r\nDATA\r\nab\r\n',
    1,
  ],
] as const) {
  test(`-bs: a session ${says} exits with ${status}`, () => {
    configure()
    const done = call(['-C', configuration, '-bs'], input)
    assert.equal(done.status, status, done.stdout + done.stderr)
  })
}

test('-oPX removes a pid file, and nothing that is none', () => {
  configure()
  const file = join(place, 'daemon.pid')
  writeFileSync(file, '4711\n')
  const done = call(['-C', configuration, '-oPX'])
  if (!root) return
  assert.deepEqual([done.status, existsSync(file)], [0, false])
  const again = call(['-C', configuration, '-oPX', '-oP', configuration])
  assert.deepEqual([again.status, again.stderr], [1, `postern: ${configuration} is no pid file\n`])
})

test('-L: a name for syslog that is too long is refused', () => {
  configure()
  const done = call(['-C', configuration, '-L', 'x'.repeat(40), '-bV'])
  assert.equal(done.status, 1)
  assert.match(done.stderr, /^postern: the -L syslog name is too long: "x+"$/m)
})
