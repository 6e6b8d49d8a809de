/**
 * SECURITY, promise 15: a disk whose sync fails, and a spool that has become read-only, under the real program.
 * The failing sync is one of the C library: a shim, compiled here, stands before it while a file exists.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const configuration = `primary_hostname = mx.example
acl_smtp_rcpt = accept
check_spool_space = 0
check_spool_inodes = 0
queue_only
begin routers
hole:
  driver = redirect
  data = :blackhole:
`

const shim = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int broken(void) {
  const char *mark = getenv("POSTERN_BROKEN_SYNC");
  if (mark == NULL || access(mark, F_OK) != 0) return 0;
  errno = EIO;
  return 1;
}
int fdatasync(int fd) {
  if (broken()) return -1;
  return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
int fsync(int fd) {
  if (broken()) return -1;
  return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd);
}
`

async function send(port: number, bytes: number = 500): Promise<number> {
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

async function eventually(port: number, bytes?: number): Promise<number | undefined> {
  return until(async () => {
    const code = await send(port, bytes).catch(() => 0)
    return code === 250 ? code : undefined
  }, 30_000)
}

const compiler = spawnSync('cc', ['--version']).status === 0
test('after a sync that failed nothing is acknowledged, and another worker takes the place of the one it happened to', {
  skip: compiler ? false : 'no C compiler on this machine',
}, async (t) => {
  const folder = temporaryFolder('sync')
  chmodSync(folder.path, 0o777)
  const library = join(folder.path, 'shim.so')
  const mark = join(folder.path, 'broken')
  const made = spawnSync('cc', ['-shared', '-fPIC', '-o', library, '-x', 'c', '-', '-ldl'], {
    input: shim,
    encoding: 'utf8',
  })
  if (made.status !== 0) {
    folder.remove()
    return t.skip(`the shim cannot be compiled: ${made.stderr.slice(0, 200)}`)
  }
  const server = await startServer({
    configuration,
    folder: folder.path,
    environment: { LD_PRELOAD: library, POSTERN_BROKEN_SYNC: mark },
  })
  try {
    assert.equal(await send(server.port), 250)
    writeFileSync(mark, '')
    for (let i = 0; i < 3; i++) assert.notEqual(await send(server.port).catch(() => 0), 250)
    await server.logged(/EIO/)
    rmSync(mark)
    // Without a restart of the whole.
    assert.equal(await eventually(server.port), 250)
    assert.equal(server.process.exitCode, null)
    // What was acknowledged before is not lost: the new worker's queue run delivers it.
    const id = /(\S+) <= a@b\.example/.exec(server.log())?.[1] ?? ''
    await server.logged(new RegExp(`${id} Completed`))
    assert.match(server.log(), /worker \d+ ended: exit code \d; another one takes its place/)
  } finally {
    rmSync(mark, { force: true })
    await server.stop()
    folder.remove()
  }
})

test('a spool on a file system that is read-only gives 451; when it can be written again, messages are taken', {
  skip: process.getuid?.() === 0 ? false : 'only root can mount',
}, async (t) => {
  const folder = temporaryFolder('readonly')
  const server = await startServer({ configuration, folder: folder.path })
  const spool = join(folder.path, 'spool')
  try {
    assert.equal(await send(server.port), 250)
    // Over the same folder: what is open stays, no name can be made.
    const mounted = spawnSync('mount', ['-o', 'bind,ro', spool, spool])
    if (mounted.status !== 0) return t.skip('mount is not allowed here')
    try {
      assert.throws(() => mkdirSync(join(spool, 'x')), /EROFS/)
      assert.equal(await send(server.port, 200_000), 451)
      await server.logged(/EROFS/)
    } finally {
      spawnSync('umount', ['-l', spool])
    }
    assert.equal(await eventually(server.port, 200_000), 250)
  } finally {
    await server.stop()
    folder.remove()
  }
})
