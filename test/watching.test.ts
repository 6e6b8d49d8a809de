/** `postern queue`, `postern log` and `postern top` beside a running daemon. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { after, before, test } from 'node:test'
import {
  freePort,
  localUser,
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
  user = ${localUser}
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
    [['--nothing'], /there is no option --nothing/],
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

test('postern log follows a message through rotated files, the reject log, the JSON twin and its bounce', async () => {
  const id = await send('from@box.test', ['gone@bad.test'])
  const bounce = (await server.logged(new RegExp(`(\\S+) <= <> R=${id}`)))[1] ?? ''
  await server.logged(new RegExp(`${bounce} Completed`))
  const other = await send('s@box.test', ['t@box.test'])
  // What logrotate would do, in the midst of the message's life.
  const logs = join(folder.path, 'log')
  const main = readFileSync(join(logs, 'mainlog'), 'latin1').split('\n')
  const cut = main.findIndex((line) => line.includes(`${id} **`))
  assert.ok(cut > 0)
  writeFileSync(join(logs, 'mainlog.2.gz'), gzipSync(`${main.slice(0, cut).join('\n')}\n`))
  writeFileSync(join(logs, 'mainlog.1'), `${main.slice(cut).join('\n')}`)
  writeFileSync(
    join(logs, 'rejectlog.1'),
    `2026-11-24 02:40:06 ${id} H=x rejected after DATA: no\nEnvelope-from: <a@b>\n\tsecond\n2026-11-24 02:40:07 nothing\n`,
  )
  rmSync(join(logs, 'mainlog'))
  const rotatedAt = Date.now()
  const shown = run('log', '--where', id)
  assert.equal(shown.status, 0, shown.stderr)
  const lines = shown.stdout.split('\n')
  assert.match(lines[0] ?? '', /^reject .*rejected after DATA/)
  assert.match(shown.stdout, /\n {4}Envelope-from: <a@b>\n {4}\tsecond\n/)
  for (const part of [
    `${id} <= from@box.test`,
    `${id} ** gone@bad.test`,
    `${bounce} <= <> R=${id}`,
    `${bounce} => from`,
    `${bounce} Completed`,
  ])
    assert.ok(shown.stdout.includes(part), `${part}\n${shown.stdout}`)
  assert.ok(!shown.stdout.includes(other) && !shown.stdout.includes('nothing'))
  assert.ok(shown.stdout.indexOf(`${id} <=`) < shown.stdout.indexOf(`${bounce} Completed`))
  const json = run('log', '--json', id)
    .stdout.trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
  assert.ok(json.some((one) => JSON.stringify(one).includes('"event":"msg:received"')))
  assert.match(
    run('log', '1xVhq1-0000000063N-2LwO').stderr,
    /nothing of 1xVhq1-0000000063N-2LwO in \d+ log files/,
  )
  assert.match(run('log', 'x').stderr, /x is no message id; exigrep finds other text/)
  const held = await send('s@box.test', ['q@held.test'])
  await until(() => (/deferred/.test(run('log', held).stdout) ? true : undefined), 20_000)
  assert.match(run('log', held).stdout, new RegExp(`in the queue: ${held} deferred, waiting for q@held.test`))
  renameSync(join(logs, 'mainlog.1'), join(logs, 'mainlog.01'))
  assert.match(run('log', id).stdout, /Completed/)
  // The daemon sees within a second that its log is gone; until then it writes where nobody looks any more.
  await new Promise((resolve) => setTimeout(resolve, 1100 - (Date.now() - rotatedAt)))
})

test('postern top shows flow, queue, hosts, senders and the line that refuses', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  await client.say('MAIL FROM:<s@from.example>')
  await client.say('RCPT TO:<nobody@mx.example>')
  client.end()
  await send('many@one.test', ['x@slow.test'])
  await server.logged(/== x@slow.test/)
  run('queue', 'retry', '--sender', 'many@')
  const line =
    readFileSync(server.configurationFile, 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('deny')) + 1
  const { stdout, stderr, status } = run('top', '--once')
  assert.equal(status, 0, stderr)
  for (const part of [
    /^postern top  mx\.example  \d{4}-/,
    /last 10m: \d+ in, \d+ out, \d+ deferred, \d+ failed, [1-9]\d* refused/,
    /open connections: \d+ +workers: event loop \d+ ms late, memory \d+ MB/,
    /queue \d+: new \d+, deferred [1-9]\d* \(oldest \d+s\), frozen 0, delivering 0/,
    /hosts that defer, last 10m\n +1 {2}127\.0\.0\.1 \[127\.0\.0\.1\]: /,
    /senders, last 10m\n[\s\S]*many@one\.test/,
    new RegExp(`refusals, last 10m, by what decided\n +1 {2}rcpt .*exim.conf:${line} deny`),
  ])
    assert.match(stdout, part)
  assert.match(run('top', '--every', '0').stderr, /--every 0: a time such as 2s/)
})

test('at a terminal postern top is live, and q ends it', (t) => {
  if (spawnSync('script', ['--version']).status !== 0) return t.skip('no script program for a terminal')
  const done = spawnSync(
    'script',
    ['-qec', `stty rows 24 cols 80; ${postern} top --every 1s -C ${server.configurationFile}`, '/dev/null'],
    { input: '', encoding: 'latin1', timeout: 30_000, env: { ...process.env, TERM: 'xterm' } },
  )
  assert.ok(
    done.stdout.includes('\x1b[?1049h') && done.stdout.includes('postern top  mx.example'),
    done.stdout,
  )
})
