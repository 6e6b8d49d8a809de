/** `postern queue`, `postern log` and `postern top` beside a running daemon. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { after, before, test } from 'node:test'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

let server: StartedServer
let metricsPort = 0
const folder = temporaryFolder('watching')

before(async () => {
  chmodSync(folder.path, 0o777)
  metricsPort = await freePort()
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `
primary_hostname = mx.example
acl_smtp_rcpt = rcpt
metrics_listen = 127.0.0.1:${metricsPort}
log_format_json = ${folder.path}/log/json
begin acl
rcpt:
  deny
    local_parts = nobody
    message = no such user
  accept
begin routers
slow:
  driver = manualroute
  domains = slow.test : *.slow.test
  route_list = * 127.0.0.1
  self = send
  transport = out
held:
  driver = redirect
  domains = held.test
  allow_defer
  data = :defer: \${if exists{${folder.path}/open}{never}{we hold it back}}
bad:
  driver = redirect
  domains = bad.test
  allow_fail
  data = :fail: no such place
all:
  driver = accept
  transport = box
begin transports
out:
  driver = smtp
  port = ${await freePort()}
box:
  driver = appendfile
  file = ${folder.path}/box
  user = ${process.getuid?.() === 0 ? 'nobody' : String(process.getuid?.() ?? 0)}
begin retry
* * F,1h,15m
`,
  })
})
after(async () => {
  await server.stop()
  folder.remove()
})

interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(...words: string[]): Ran {
  const done = spawnSync(postern, [...words, '-C', server.configurationFile], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status: done.status, stdout: done.stdout, stderr: done.stderr }
}

/** Sends a message and gives its id. */
async function send(from: string, to: readonly string[]): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  const reply = await client.deliver(from, to, 'Subject: x\r\n\r\nhello\r\n')
  client.end()
  return /id=(\S+)/.exec(reply.lines.join(' '))?.[1] ?? ''
}

test('postern queue finds by sender, recipient, domain, reason, age, size and state', async () => {
  const slow = await send('a@one.test', ['x@slow.test'])
  const deep = await send('b@two.test', ['y@deep.slow.test', 'z@box.test'])
  const held = await send('', ['q@held.test'])
  await until(
    () =>
      (/== q@held.test/.test(server.log()) &&
        /== y@deep/.test(server.log()) &&
        /== x@slow/.test(server.log())) ||
      undefined,
    20_000,
  )
  const all = await until(() => {
    const found = run('queue', '--state', 'deferred', '--ids')
      .stdout.split('\n')
      .filter((id) => id !== '')
    return found.length === 3 ? found : undefined
  }, 20_000)
  assert.deepEqual([...(all ?? [])].sort(), [slow, deep, held].sort(), run('queue').stdout)
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [['--sender', 'ONE.test'], [slow]],
    [['--sender', '<>'], [held]],
    [['--recipient', 'x@'], [slow]],
    // Done: no longer a reason to find it.
    [['--recipient', 'z@box.test'], []],
    [['--domain', 'slow.test'], [slow]],
    [
      ['--domain', '.slow.test'],
      [slow, deep],
    ],
    [['--reason', 'hold it back'], [held]],
    [['--reason', 'retry time', '--sender', 'two'], [deep]],
    [['--older', '1h'], []],
    [['--younger', '1h', '--state', 'deferred', '--sender', 'one'], [slow]],
    [['--larger', '1M'], []],
    [['--state', 'frozen'], []],
    [[held], [held]],
    [['--queue', 'other'], []],
  ]
  for (const [words, ids] of cases) {
    const { stdout, stderr, status } = run('queue', ...words, '--ids')
    assert.equal(status, 0, stderr)
    assert.deepEqual(
      stdout
        .split('\n')
        .filter((id) => id !== '')
        .sort(),
      [...ids].sort(),
      words.join(' '),
    )
  }
  assert.equal(run('queue', '--count').stdout, '3\n')
  assert.match(
    run('queue', '--sender', 'one').stdout,
    new RegExp(`^ ?\\d+m .* ${slow} <a@one.test> deferred\n {10}x@slow.test\n.*refused\n`),
  )
  const json: unknown = JSON.parse(run('queue', '--sender', 'two', '--json').stdout)
  assert.ok(typeof json === 'object' && json !== null && 'recipients' in json && 'reason' in json)
  assert.deepEqual(json.recipients, [
    { address: 'y@deep.slow.test', done: false },
    { address: 'z@box.test', done: true },
  ])
  for (const [words, says] of [
    [['--older', 'soon'], /--older soon: a time such as 30m/],
    [['--state', 'odd'], /one of new, deferred, frozen, delivering/],
    [['remove'], /remove needs a selection, or --all/],
    [['--nothing'], /Unknown option/],
  ] as const) {
    const { status, stderr } = run('queue', ...words)
    assert.equal(status, 2)
    assert.match(stderr, says)
  }
})

test('postern queue freezes, thaws, retries, bounces and removes all that it finds', async () => {
  assert.match(
    run('queue', 'freeze', '--domain', '.slow.test', '--dry-run').stdout,
    /^would freeze 2 messages:\n/,
  )
  assert.equal(run('queue', '--state', 'frozen', '--count').stdout, '0\n')
  assert.equal(run('queue', 'freeze', '--domain', '.slow.test').stdout, 'freeze: 2 messages done\n')
  assert.equal(run('queue', '--state', 'frozen', '--count').stdout, '2\n')
  const again = run('queue', 'freeze', '--sender', 'one')
  assert.deepEqual([again.status, again.stderr.includes('is already frozen')], [1, true])
  assert.equal(run('queue', 'thaw', '--sender', 'one').stdout, 'thaw: 1 message done\n')
  assert.match(server.log(), /unfrozen by /)
  assert.equal(
    run('queue', 'retry', '--sender', 'one').stdout,
    'retry: 1 message tried, 1 of them still in the queue\n',
  )
  assert.equal(
    run('queue', 'bounce', '--sender', 'one').stdout,
    'bounce: 1 message tried, 0 of them still in the queue\n',
  )
  await server.logged(/<= <> R=\S+/)
  assert.equal(
    run('queue', 'remove', '--sender', 'two', '--state', 'frozen').stdout,
    'remove: 1 message done\n',
  )
  assert.match(server.log(), /removed by /)
  assert.equal(run('queue', 'remove', '--sender', 'nobody').status, 1)
  assert.equal(run('queue', 'remove', '--all').status, 0)
  assert.equal(run('queue', '--count').stdout, '0\n')
})
