/** SECURITY, promise 15: no descriptors left, a full disk, a spool that cannot be written: 452, 451, then recovery without restart. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'
import { postern, startServer, temporaryFolder, until } from './support/server.ts'

const root = process.getuid?.() === 0
const configuration = `primary_hostname = mx.example
acl_smtp_rcpt = accept
check_spool_space = 0
check_spool_inodes = 0
queue_only
smtp_accept_max = 200
begin routers
hole:
  driver = redirect
  data = :blackhole:
`

async function send(port: number, bytes: number): Promise<number> {
  const client = await connectSmtp(port)
  try {
    await client.say('EHLO client.example')
    const line = `${'x'.repeat(78)}\r\n`
    const body = `Subject: x\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}`
    return (await client.deliver('a@b.example', ['c@d.example'], body)).code
  } finally {
    client.end()
  }
}

const limiter = spawnSync('prlimit', ['--version']).status === 0
for (const [says, main] of [
  ['a message', configuration],
  [
    'a message about which a command is asked',
    `${configuration.replace('= accept', '= acl_run')}begin acl\nacl_run:\n  accept condition = \${run{/bin/true}{yes}{no}}\n`,
  ],
] as const) {
  void test(
    `out of file descriptors ${says} gets 451, and is taken once there are some`,
    {
      skip: limiter ? false : 'no prlimit (util-linux) on this machine',
    },
    () => withoutDescriptors(main),
  )
}

async function withoutDescriptors(main: string): Promise<void> {
  const folder = temporaryFolder('descriptors')
  chmodSync(folder.path, 0o777)
  const program = join(folder.path, 'postern')
  writeFileSync(program, `#!/bin/sh\nexec prlimit --nofile=64 ${postern} "$@"\n`)
  chmodSync(program, 0o755)
  const server = await startServer({ configuration: main, folder: folder.path, program })
  const clients: SmtpClient[] = []
  try {
    // What starts commands is loaded with the first of them.
    if (main !== configuration) assert.equal(await send(server.port, 100), 250)
    const first = await connectSmtp(server.port)
    clients.push(first)
    await first.say('EHLO client.example')
    // Until the process has none left it greets; then connections are closed or wait.
    for (let i = 0; i < 70; i++) {
      const client = await connectSmtp(server.port, '127.0.0.1', 2000).catch(() => undefined)
      if (client === undefined) break
      clients.push(client)
    }
    assert.ok(clients.length < 70, 'there were descriptors for all')
    const refused = await first.deliver('a@b.example', ['c@d.example'], 'Subject: x\r\n\r\nx\r\n')
    assert.equal(refused.code, 451, refused.raw)
    for (const client of clients) client.socket.destroy()
    const again = await until(async () => {
      const code = await send(server.port, 100).catch(() => 0)
      return code === 250 ? code : undefined
    }, 20_000)
    assert.equal(again, 250)
    assert.doesNotMatch(server.log('panic'), /another one takes its place/)
  } finally {
    for (const client of clients) client.socket.destroy()
    await server.stop()
    folder.remove()
  }
}

void test('what is begun without descriptors fails for now, and neither ends the process nor keeps one', {
  skip: limiter ? false : 'no prlimit (util-linux) on this machine',
}, () => {
  const child = fileURLToPath(new URL('support/no-descriptors-child.js', import.meta.url))
  const folder = temporaryFolder('none-left')
  const done = spawnSync('prlimit', ['--nofile=60', process.execPath, child, join(folder.path, 'spool')], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  folder.remove()
  assert.equal(done.stderr, '')
  assert.deepEqual(done.stdout.split('\n').slice(0, -1), [
    'commit ["Error: a new segment cannot be made: EMFILE: too m",0]',
    `run {"is":"failed","message":"couldn't create child process: spawn /bin/true EMFILE"}`,
    'pipe {"is":"deferred","errno":24,"more":0,"errorText":"Too many open files","message":"Failed to create child process for pipe transport: Too many open files"}',
    'scanner ["cmdline  : call scanner: spawn /bin/sh EMFILE"]',
    'filter "Error: transport filter process failed (127)"',
  ])
})

test('a full disk gives 452; with room again messages are taken again', {
  skip: root ? false : 'only root can mount a small disk',
}, async (t) => {
  const folder = temporaryFolder('full')
  const spool = join(folder.path, 'spool')
  mkdirSync(spool)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=777', 'tmpfs', spool])
  if (mounted.status !== 0) {
    folder.remove()
    return t.skip('a tmpfs cannot be mounted here')
  }
  try {
    const server = await startServer({ configuration, folder: folder.path })
    try {
      assert.equal(await send(server.port, 1000), 250)
      const codes: number[] = []
      for (let i = 0; i < 12; i++) codes.push(await send(server.port, 3_000_000))
      assert.equal(codes[0], 250)
      assert.equal(codes.at(-1), 452)
      assert.match(server.log(), /spool: .*ENOSPC: no space left on device/)
      for (const id of server.command('-bpi').stdout.trim().split('\n')) server.command('-Mrm', id)
      const again = await until(async () => {
        const code = await send(server.port, 3_000_000)
        return code === 250 ? code : undefined
      }, 20_000)
      assert.equal(again, 250)
    } finally {
      await server.stop()
    }
  } finally {
    spawnSync('umount', ['-l', spool])
    folder.remove()
  }
})

test('a spool that cannot be written gives 451; once it can, messages are taken again', {
  skip: root ? false : 'the rights of a folder mean something only for another user than its owner',
}, async () => {
  const folder = temporaryFolder('unwritable')
  const server = await startServer({ configuration, folder: folder.path })
  try {
    assert.equal(await send(server.port, 1000), 250)
    const bodies = join(folder.path, 'spool', 'bodies')
    rmSync(bodies, { recursive: true, force: true })
    writeFileSync(bodies, '')
    assert.equal(await send(server.port, 200_000), 451)
    rmSync(bodies)
    mkdirSync(bodies)
    chmodSync(bodies, 0o777)
    const again = await until(async () => {
      const code = await send(server.port, 200_000)
      return code === 250 ? code : undefined
    }, 20_000)
    assert.equal(again, 250)
  } finally {
    await server.stop()
    folder.remove()
  }
})

test('a large message that cannot be read again gets 421, and nothing of it is left', {
  skip: root ? false : 'only root sees the descriptors of others',
}, async () => {
  const folder = temporaryFolder('unread')
  const server = await startServer({
    configuration: `acl_smtp_data = accept\n${configuration}`,
    folder: folder.path,
  })
  const bodies = join(folder.path, 'spool', 'bodies')
  const aside = join(folder.path, 'spool', 'aside')
  const text = `Subject: x\r\n\r\n${`${'x'.repeat(78)}\r\n`.repeat(3000)}`
  try {
    for (const [command, code, end] of [
      ['DATA', 354, '.\r\n'],
      [`BDAT ${text.length + 4} LAST`, undefined, 'nd\r\n'],
    ] as const) {
      const client = await connectSmtp(server.port)
      await client.say('EHLO client.example')
      await client.say('MAIL FROM:<a@b.example>')
      await client.say('RCPT TO:<c@d.example>')
      client.send(`${command}\r\n`)
      if (code !== undefined) assert.equal((await client.reply()).code, code)
      client.send(text)
      const [name = ''] = (await until(() => namesIn(bodies), 10_000)) ?? []
      renameSync(join(bodies, name), aside)
      // No link is followed: as where there are no descriptors left.
      symlinkSync(aside, join(bodies, name))
      client.send(end)
      assert.equal((await client.reply()).code, 421)
      await client.closed()
      assert.equal(await until(() => (namesIn(bodies) === undefined ? true : undefined), 10_000), true)
      assert.equal(await until(() => (isOpen(aside) ? undefined : true), 10_000), true)
      rmSync(aside)
    }
  } finally {
    await server.stop()
    folder.remove()
  }
})

function namesIn(path: string): string[] | undefined {
  const names = existsSync(path) ? readdirSync(path) : []
  return names.length === 0 ? undefined : names
}

/** By whatever process. */
function isOpen(path: string): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => descriptorsOf(pid).includes(path))
}

function descriptorsOf(pid: string): string[] {
  const folder = `/proc/${pid}/fd`
  const orNothing = (read: () => string[]): string[] => {
    try {
      return read()
    } catch {
      // It ended meanwhile, or has closed one.
      return []
    }
  }
  return orNothing(() => readdirSync(folder)).flatMap((fd) =>
    orNothing(() => [readlinkSync(join(folder, fd))]),
  )
}
