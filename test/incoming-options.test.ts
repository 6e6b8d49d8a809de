/** Main options about calls, starts and this host, seen through the program. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { freePort, postern, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('incoming-options')
after(() => folder.remove())
const root = process.getuid?.() === 0
let count = 0

function file(text: string): { readonly path: string; readonly home: string } {
  const home = join(folder.path, `f${++count}`)
  for (const each of [home, join(home, 'spool'), join(home, 'log')]) {
    mkdirSync(each)
    chmodSync(each, 0o777)
  }
  const path = join(home, 'exim.conf')
  writeFileSync(
    path,
    `spool_directory = ${home}/spool\nlog_file_path = ${home}/log/%slog\nprimary_hostname = mx.test.example\n${text}`,
  )
  return { path, home }
}

const local = 'begin routers\nlocal:\n  driver = redirect\n  data = :blackhole:\n'

test('unknown_login names a caller whom the system does not know', { skip: !root && 'needs root' }, () => {
  const { path, home } = file(`unknown_login = guest$caller_uid\nunknown_username = A Guest\n${local}`)
  const sent = spawnSync(postern, ['-C', path, '-odq', 'a@mx.test.example'], {
    uid: 54_321,
    gid: 54_321,
    input: 'Subject: x\n\nbody\n',
    encoding: 'utf8',
  })
  assert.equal(sent.status, 0, sent.stderr)
  const shown = spawnSync('cat', [join(home, 'log', 'mainlog')], { encoding: 'utf8' }).stdout
  assert.match(shown, /<= guest54321@mx\.test\.example U=guest54321 P=local/)
})

test('commandline_checks_require_admin keeps checks from others', { skip: !root && 'needs root' }, () => {
  const ask = (text: string): ReturnType<typeof spawnSync> =>
    spawnSync(postern, ['-C', file(text).path, '-be', '$primary_hostname'], {
      uid: 54_321,
      gid: 54_321,
      encoding: 'utf8',
    })
  assert.equal(ask(`exim_user = nobody\nexim_group = nogroup\n${local}`).stdout, 'mx.test.example\n')
  const refused = ask(`exim_user = nobody\nexim_group = nogroup\ncommandline_checks_require_admin\n${local}`)
  assert.equal(refused.status, 1)
  assert.match(String(refused.stderr), /permission denied/)
})

test('extra_local_interfaces: a host at such an address is this host', () => {
  const routed = (options: string): string => {
    const { path } = file(`${options}begin routers
there:
  driver = manualroute
  route_list = * 192.0.2.77
  self = fail
  transport = smtp
begin transports
smtp:
  driver = smtp
`)
    return spawnSync(postern, ['-C', path, '-bt', 'a@b.example'], { encoding: 'utf8' }).stdout
  }
  assert.match(routed(''), /host 192\.0\.2\.77/)
  assert.match(routed('extra_local_interfaces = 192.0.2.77\n'), /is undeliverable/)
})

test('localhost_number stands in message ids, and is expanded', async () => {
  const home = join(folder.path, 'number')
  mkdirSync(home, { mode: 0o755 })
  const server = await startServer({
    folder: home,
    configuration: `primary_hostname = mx.test.example\nqueue_only\nmessage_id_form = short\nlocalhost_number = \${eval:8+8}\nacl_smtp_rcpt = accept\n${local}`,
  })
  try {
    const client = await connectSmtp(server.port)
    await client.say('HELO c.example')
    const reply = await client.deliver('a@b.example', ['c@mx.test.example'], 'Subject: x\r\n\r\nbody\r\n')
    // 16 times 200 ticks of a second, and up to 199 more, in base 62: Exim manual, "Message identification".
    const digits = /id=\S{13}-(\S\S)/.exec(reply.raw)?.[1] ?? ''
    const base = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    const number = base.indexOf(digits[0] ?? '') * 62 + base.indexOf(digits[1] ?? '')
    assert.ok(number >= 3200 && number < 3400, `${reply.raw}: ${number}`)
    client.end()
  } finally {
    await server.stop()
  }
})

test('daemon_startup_retries waits for a port that is taken', async () => {
  const port = await freePort()
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve))
  const home = join(folder.path, 'busy')
  mkdirSync(home, { mode: 0o755 })
  const starting = startServer({
    folder: home,
    port,
    configuration: `primary_hostname = mx.test.example\ndaemon_startup_retries = 100\ndaemon_startup_sleep = 1s\n${local}`,
  })
  const log = (): string => spawnSync('cat', [join(home, 'log', 'mainlog')], { encoding: 'utf8' }).stdout
  try {
    const waited = await until(
      () => /waiting 1s before trying again \(\d+ more tries\)/.exec(log()) ?? undefined,
      60_000,
    )
    assert.ok(waited)
  } finally {
    await new Promise((resolve) => holder.close(resolve))
    const server = await starting
    await server.stop()
  }
})

test('freeze_tell: whom the option names hears of a message that an ACL froze', async () => {
  const home = join(folder.path, 'tell')
  mkdirSync(home, { mode: 0o755 })
  const server = await startServer({
    folder: home,
    configuration: `primary_hostname = mx.test.example
freeze_tell = admin@mx.test.example
log_selector = +received_recipients
acl_smtp_rcpt = lock
begin acl
lock:
  accept control = freeze
${local}`,
  })
  try {
    const client = await connectSmtp(server.port)
    await client.say('HELO c.example')
    await client.deliver('a@b.example', ['c@mx.test.example'], 'Subject: x\r\n\r\nbody\r\n')
    client.end()
    const [, id = ''] = await server.logged(/ (\S+) frozen by ACL/, 60_000)
    await server.logged(new RegExp(` <= <> R=${id} .* for admin@mx\\.test\\.example`), 60_000)
    await server.logged(/ => :blackhole: <admin@mx\.test\.example> R=local/, 60_000)
    assert.match(server.command('-bp').stdout, /\*\*\* frozen \*\*\*/)
  } finally {
    await server.stop()
  }
})

test('control = allow_auth_unadvertised: AUTH is taken though EHLO did not offer it', async () => {
  const replies: number[] = []
  for (const control of ['', '  warn control = allow_auth_unadvertised\n']) {
    const home = join(folder.path, `auth${control.length}`)
    mkdirSync(home, { mode: 0o755 })
    const server = await startServer({
      folder: home,
      configuration: `primary_hostname = mx.test.example
auth_advertise_hosts =
acl_smtp_connect = first
begin acl
first:
${control}  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if eq{$auth3}{secret}}
${local}`,
    })
    try {
      const client = await connectSmtp(server.port)
      const offered = await client.say('EHLO c.example')
      assert.doesNotMatch(offered.raw, /AUTH/)
      const answer = await client.say(`AUTH PLAIN ${Buffer.from('\0me\0secret').toString('base64')}`)
      replies.push(answer.code)
      client.end()
    } finally {
      await server.stop()
    }
  }
  assert.deepEqual(replies, [503, 235])
})
