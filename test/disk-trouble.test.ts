/** SECURITY, promise 15: no descriptors left, a full disk, a spool that cannot be written: 452, 451, then recovery without restart. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
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
test('out of file descriptors a message gets 451, and is taken once there are some', {
  skip: limiter ? false : 'no prlimit (util-linux) on this machine',
}, async () => {
  const folder = temporaryFolder('descriptors')
  chmodSync(folder.path, 0o777)
  const program = join(folder.path, 'postern')
  writeFileSync(program, `#!/bin/sh\nexec prlimit --nofile=64 ${postern} "$@"\n`)
  chmodSync(program, 0o755)
  const server = await startServer({ configuration, folder: folder.path, program })
  const clients: SmtpClient[] = []
  try {
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
  } finally {
    for (const client of clients) client.socket.destroy()
    await server.stop()
    folder.remove()
  }
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
