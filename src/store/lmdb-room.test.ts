import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { open } from 'lmdb'
import { LmdbRoom, prepareLmdbFolder, writeTransaction } from './lmdb-room.ts'

const child = fileURLToPath(new URL('../../test/support/full-disk-child.js', import.meta.url))
const root = process.getuid?.() === 0

for (const [seed, megabytes] of [
  [2, 3],
  [3, 4],
] as const) {
  test(`a disk that is full again and again ends no process and loses nothing acknowledged (${megabytes} MB)`, {
    skip: root ? false : 'needs root, to mount a small disk',
  }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-room-'))
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
    if (mounted.status !== 0) {
      rmSync(folder, { recursive: true })
      return t.skip('mount is not allowed here')
    }
    try {
      mkdirSync(`${folder}/spool`)
      const done = spawnSync(process.execPath, [child, folder, String(seed)], {
        encoding: 'utf8',
        timeout: 120_000,
      })
      assert.equal(done.signal, null)
      assert.equal(done.status, 0, done.stderr)
      // LMDB itself never met the full disk.
      assert.doesNotMatch(done.stderr, /Write error/)
      const { refused, lines } = JSON.parse(done.stdout) as { refused: number; lines: string[] }
      assert.ok(refused > 20, `${refused} refused`)
      for (const line of lines) assert.match(line, /ENOSPC/)
      assert.ok(lines.length < 60, 'the same complaint again and again')
    } finally {
      spawnSync('umount', ['-l', folder])
      rmSync(folder, { recursive: true })
    }
  })
}

test('a transaction finds its room before LMDB needs it, however much is written', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-room-'))
  t.after(() => rmSync(folder, { recursive: true }))
  prepareLmdbFolder(folder)
  const env = open<string, string>({ path: folder, noSubdir: false, noSync: true, mapSize: 1 << 30 })
  const room = new LmdbRoom(`${folder}/data.mdb`)
  for (const [rows, bytes] of [
    [1, 10],
    [300, 10],
    [2000, 100],
    [50, 100_000],
    [1, 3_000_000],
    [2000, 3000],
  ] as const) {
    const sizes: number[] = []
    writeTransaction(env, room, () => {
      for (let i = 0; i < rows; i++) {
        const key = `key${(i * 7919) % 100_003}-${bytes}`
        room.add(key.length + bytes)
        env.putSync(key, 'x'.repeat(bytes))
      }
      sizes.push(room.size)
    })
    writeTransaction(env, room, () => undefined)
    const { used } = room
    assert.ok(used <= (sizes[0] ?? 0), `${used} bytes in use, room for ${sizes[0]} (${rows} of ${bytes})`)
  }
  room.close()
  await env.close()
})

for (const how of ['to look', 'to write'] as const) {
  test(`nothing written is lost while others open the environment ${how}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-room-'))
    t.after(() => rmSync(folder, { recursive: true }))
    prepareLmdbFolder(folder)
    const env = open<number, string>({ path: folder, noSubdir: false, noSync: true, mapSize: 1 << 30 })
    const room = new LmdbRoom(`${folder}/data.mdb`)
    writeTransaction(env, room, () => env.putSync('first', 0))
    const code = `
import { open } from ${JSON.stringify(import.meta.resolve('lmdb'))}
for (let i = 0; i < 200; i++) {
  const env = open({ path: ${JSON.stringify(folder)}, noSubdir: false, noSync: true, mapSize: 2 ** 30, readOnly: ${how === 'to look'} })
  env.get('first')
  await env.close()
}`
    let openers = 2
    let failures = ''
    for (let i = openers; i > 0; i--) {
      const opener = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      opener.stderr.on('data', (bytes: Buffer) => (failures += bytes.toString()))
      opener.once('close', () => openers--)
    }
    let count = 0
    let last = 0
    while (openers > 0) {
      for (let i = 0; i < 100; i++) {
        let begun = 0
        writeTransaction(env, room, () => {
          begun = env.getWriteTxnId()
          room.add(20)
          env.putSync(`key${count}`, count)
        })
        assert.ok(begun > last, `transaction ${begun} after ${last}`)
        last = begun
        count++
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(failures, '')
    env.resetReadTxn()
    const lost = Array.from({ length: count }, (_, i) => i).filter((i) => env.get(`key${i}`) !== i)
    assert.deepEqual(lost, [])
    room.close()
    await env.close()
  })
}

test('who reads and is killed does not make the file grow for good', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-room-'))
  t.after(() => rmSync(folder, { recursive: true }))
  prepareLmdbFolder(folder)
  const env = open<string, string>({ path: folder, noSubdir: false, noSync: true, mapSize: 1 << 30 })
  const room = new LmdbRoom(`${folder}/data.mdb`)
  const write = (transactions: number): void => {
    for (let i = 0; i < transactions; i++) {
      writeTransaction(env, room, () => {
        for (let n = 0; n < 20; n++) {
          room.add(300)
          env.putSync(`key${(i * 20 + n) % 2000}`, 'x'.repeat(200) + String(i))
        }
      })
    }
  }
  write(300)
  const before = room.used
  const code = `
import { open } from ${JSON.stringify(import.meta.resolve('lmdb'))}
const env = open({ path: ${JSON.stringify(folder)}, noSubdir: false, noSync: true, mapSize: 2 ** 30, readOnly: true })
for (const row of env.getRange({})) process.kill(process.pid, 'SIGKILL')`
  assert.equal(spawnSync(process.execPath, ['--input-type=module', '-e', code]).signal, 'SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  write(1000)
  assert.ok(room.used < 2 * before, `${before} bytes in use before, ${room.used} after`)
  room.close()
  await env.close()
})
