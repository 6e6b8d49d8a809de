import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs, {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'
import { test } from 'node:test'
import { addMessage, bodyOf, type SpoolWorld, spoolWorld } from '../../../test/support/spool-world.ts'
import type { Spool } from './index.ts'

const body = Buffer.alloc(4000, 'a line of the body\n')

async function complete(spool: Spool, id: string): Promise<void> {
  const claim = await spool.claim(id)
  assert.ok(claim)
  await claim.complete()
}

function segments(directory: string): string[] {
  return readdirSync(`${directory}/segments`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/(free-)?[0-9a-f]{16}$/.test(name),
  )
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 10_000
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(condition(), 'it did not come to pass')
}

test('many writers at once get their messages into few segments, all readable', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ segmentBytes: 1 << 20 })
  const ids = await Promise.all(Array.from({ length: 1000 }, () => addMessage(spool, body)))
  assert.equal(new Set(ids).size, 1000)
  assert.ok(segments(world.directory).length < 9)
  await spool.close()
  const again = await world.open()
  assert.equal(again.count(), 1000)
  for (const id of ids.slice(0, 20)) assert.deepEqual(await bodyOf(await again.read(id)), body)
})

test('segments with nothing alive are used again or removed, and bring nothing back', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ segmentBytes: 256 << 10, careMs: 100 })
  for (let round = 0; round < 12; round++) {
    const ids = await Promise.all(Array.from({ length: 60 }, () => addMessage(spool, body)))
    await Promise.all(ids.map((id) => complete(spool, id)))
    if (round === 5) await until(() => segments(world.directory).length <= 4)
  }
  const kept = await addMessage(spool, body)
  await spool.close()
  rmSync(`${world.directory}/index`, { recursive: true })
  const again = await world.open()
  assert.deepEqual(
    [...again.list()].map(({ id }) => id),
    [kept],
  )
  await complete(again, kept)
  await again.close()
  assert.deepEqual(segments(world.directory), [])
})

test('a segment that is used again counts under its old name, too, which a power cut can bring back', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ segmentBytes: 64 << 10, careMs: 50 })
  const ids = await Promise.all(Array.from({ length: 40 }, () => addMessage(spool, body)))
  await Promise.all(ids.map((id) => complete(spool, id)))
  const pathOf = (name: string): string => `${world.directory}/segments/${name}`
  const freed = (): string | undefined => segments(world.directory).find((name) => name.includes('/free-'))
  await until(() => freed() !== undefined)
  const old = pathOf(freed() ?? '')
  const { ino } = statSync(old)
  const used = (): string | undefined =>
    segments(world.directory)
      .map(pathOf)
      .find((path) => path !== old && statSync(path).ino === ino)
  const kept: string[] = []
  while (used() === undefined && kept.length < 100) kept.push(await addMessage(spool, body))
  await spool.close()
  renameSync(used() ?? '', old)
  rmSync(`${world.directory}/index`, { recursive: true })
  const again = await world.open()
  assert.deepEqual(
    [...again.list()].map(({ id }) => id),
    kept.toSorted(),
  )
})

test('a segment that is dropped holds nothing, should a power cut bring it back', async (t) => {
  const world = spoolWorld(t)
  const brief = await world.open({ brief: true })
  const id = await addMessage(brief)
  await brief.close()
  const spool = await world.open({ careMs: 50 })
  const [name = ''] = segments(world.directory)
  const aside = `${world.directory}/aside`
  linkSync(`${world.directory}/segments/${name}`, aside)
  await complete(spool, id)
  await until(() => !segments(world.directory).includes(name))
  await spool.close()
  rmSync(`${world.directory}/index`, { recursive: true })
  mkdirSync(`${world.directory}/segments/1.1.before`)
  renameSync(aside, `${world.directory}/segments/1.1.before/${basename(name)}`)
  const again = await world.open()
  assert.deepEqual([...again.list()], [])
})

test('the living are copied out of a nearly empty segment, with what was recorded of them', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ segmentBytes: 256 << 10, careMs: 100 })
  const ids = await Promise.all(Array.from({ length: 200 }, () => addMessage(spool, body)))
  assert.ok(segments(world.directory).length > 4)
  const claim = await spool.claim(ids[10] ?? '')
  await claim?.record({ done: ['bob@example.net'], reason: 'refused', nextAttemptAt: 5_000_000 })
  claim?.release()
  await Promise.all(ids.filter((_, i) => i % 50 !== 10).map((id) => complete(spool, id)))
  // What is left: the segment being written, and those kept to be used again.
  await until(() => segments(world.directory).length <= 4)
  const check = async (now: Spool): Promise<void> => {
    assert.deepEqual(
      [...now.list()].map(({ id }) => id),
      [10, 60, 110, 160].map((i) => ids[i] ?? '').sort(),
    )
    const message = await now.read(ids[10] ?? '')
    assert.deepEqual(message?.envelope.done, ['bob@example.net'])
    assert.deepEqual(await bodyOf(message), body)
  }
  await check(spool)
  assert.equal(spool.entry(ids[10] ?? '')?.reason, 'refused')
  await spool.close()
  rmSync(`${world.directory}/index`, { recursive: true })
  await check(await world.open())
})

test('the small segments that brief processes leave are put together', async (t) => {
  const world = spoolWorld(t)
  const ids: string[] = []
  for (let i = 0; i < 70; i++) {
    const brief = await world.open({ brief: true })
    ids.push(await addMessage(brief))
    await brief.close()
  }
  assert.equal(segments(world.directory).length, 70)
  const spool = await world.open({ careMs: 50 })
  await until(() => segments(world.directory).length < 10)
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    ids.toSorted(),
  )
  assert.equal((await bodyOf(await spool.read(ids[3] ?? ''))).toString(), 'hello\n')
})

test('many marks of one message are put together', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  const id = await addMessage(spool)
  const claim = await spool.claim(id)
  assert.ok(claim)
  for (let i = 0; i < 50; i++) await claim.record({ done: [`user${i}@example.org`] })
  claim.release()
  await spool.close()
  for (const lose of [false, true]) {
    if (lose) rmSync(`${world.directory}/index`, { recursive: true })
    const again = await world.open()
    assert.equal((await again.read(id))?.envelope.done.length, 50)
    await again.close()
  }
})

const noMount = process.getuid?.() === 0 ? undefined : 'needs root, to mount a small disk'

test('a full disk refuses messages and takes them again when there is room', {
  skip: noMount ?? false,
}, async (t) => {
  const world = spoolWorld(t)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', world.directory])
  if (mounted.status !== 0) return t.skip('mount is not allowed here')
  try {
    await fillDisk(world)
  } finally {
    spawnSync('umount', ['-l', world.directory])
  }
})

async function fillDisk(world: SpoolWorld): Promise<void> {
  const spool = await world.open({ segmentBytes: 1 << 20 })
  const large = Buffer.alloc(500_000, 'x')
  const ids = [await addMessage(spool, large), await addMessage(spool, large)]
  // While the index has room: without, nobody can claim what only the index knows.
  const claims = [await spool.claim(ids[0] ?? ''), await spool.claim(ids[1] ?? '')]
  const fill = async (): Promise<void> => {
    for (;;) ids.push(await addMessage(spool, large))
  }
  await assert.rejects(fill(), { code: 'full' })
  const small = async (): Promise<void> => {
    for (;;) ids.push(await addMessage(spool, body))
  }
  await assert.rejects(small(), { code: 'full' })
  assert.ok(ids.length > 3)
  assert.equal(spool.count(), ids.length)
  // A body file goes with its message; the tombstone of the first must find room, which a refused message left.
  // What happened must find room before anything new does.
  const done = Promise.all(claims.map(async (claim) => claim?.complete()))
  for (const name of readdirSync(`${world.directory}/bodies`)) {
    if (name.startsWith(ids[0] ?? '')) rmSync(`${world.directory}/bodies/${name}`)
  }
  await done
  await new Promise((resolve) => setTimeout(resolve, 1100))
  ids.push(await addMessage(spool, body))
  assert.equal(spool.count(), ids.length - 2)
  await spool.close()
}

test('messages refused on a full disk do not come back', { skip: noMount ?? false }, async (t) => {
  const world = spoolWorld(t)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', world.directory])
  if (mounted.status !== 0) return t.skip('mount is not allowed here')
  try {
    const spool = await world.open({ segmentBytes: 1 << 20 })
    const taken = [await addMessage(spool, body)]
    const { freeBytes } = spool.space()
    writeFileSync(`${world.directory}/filler`, Buffer.alloc(freeBytes - 200_000))
    const many = await Promise.allSettled(Array.from({ length: 100 }, () => addMessage(spool, body)))
    rmSync(`${world.directory}/filler`)
    for (const one of many) if (one.status === 'fulfilled') taken.push(one.value)
    assert.ok(taken.length < 50)
    taken.push(await addMessage(spool))
    await spool.close()
    rmSync(`${world.directory}/index`, { recursive: true })
    const again = await world.open()
    assert.deepEqual(
      [...again.list()].map(({ id }) => id),
      taken.toSorted(),
    )
    await again.close()
  } finally {
    spawnSync('umount', ['-l', world.directory])
  }
})

test('files are created for the owner alone and their group', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  await addMessage(spool, Buffer.alloc(100_000, 'x'))
  const id = await addMessage(spool)
  const claim = await spool.claim(id)
  claim?.log('a line')
  claim?.release()
  // Lines are written in the background.
  for (let i = 0; i < 500 && (await spool.messageLog(id)) !== 'a line\n'; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  for (const name of readdirSync(world.directory, { recursive: true, encoding: 'utf8' })) {
    const path = `${world.directory}/${name}`
    if (!existsSync(path)) continue
    assert.equal(statSync(path).mode & 0o027, 0, name)
  }
  assert.equal(await spool.messageLog(id), 'a line\n')
})

test('after a failed sync nothing is acknowledged or claimed any more, and that is told once', async (t) => {
  const world = spoolWorld(t)
  let broken = false
  const told: string[] = []
  const spool = await world.open({
    onFailure: (why) => void told.push(why.code),
    crashPoint: (name) => {
      if (name === 'record-written' && broken) spoilSegment(world)
    },
  })
  const id = await addMessage(spool)
  broken = true
  await assert.rejects(addMessage(spool), { code: 'sync-failed' })
  await assert.rejects(addMessage(spool), { code: 'sync-failed' })
  // Its delivery could not be recorded, so each queue run would repeat it.
  assert.equal(await spool.claim(id), undefined)
  assert.deepEqual(told, ['sync-failed'])
  await spool.close()
  const again = await world.open({ onFailure: (why) => void told.push(why.code) })
  assert.ok(await again.claim(id))
  await again.close()
  assert.equal(told.length, 1)
})

test('what was refused because a sync failed does not come back', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  const id = await addMessage(spool)
  const broken = t.mock.method(fs, 'fdatasync', (_fd: number, done: (error: Error) => void) =>
    setImmediate(done, new Error('EIO: i/o error')),
  )
  syncBuiltinESMExports()
  try {
    await assert.rejects(addMessage(spool), { code: 'sync-failed' })
  } finally {
    broken.mock.restore()
    syncBuiltinESMExports()
  }
  await spool.close()
  rmSync(`${world.directory}/index`, { recursive: true })
  const again = await world.open()
  assert.deepEqual(
    [...again.list()].map((entry) => entry.id),
    [id],
  )
})

test('the file of a body that cannot be completed is closed, so that its room is free again', async (t) => {
  const world = spoolWorld(t)
  let spoilt: number[] = []
  const spool = await world.open({
    crashPoint: (name) => {
      if (name === 'body-written') spoilt = spoil(`${world.directory}/bodies/`)
    },
  })
  await assert.rejects(addMessage(spool, Buffer.alloc(100_000, 'x')), { code: 'sync-failed' })
  assert.equal(spoilt.length, 1)
  for (const fd of spoilt) assert.notEqual(linkOf(fd), '/dev/null')
})

/** Makes the next sync of the open segment fail. */
function spoilSegment(world: SpoolWorld): void {
  spoil(`${world.directory}/segments/`)
}

/** Descriptors of files whose path begins so lead elsewhere: they cannot be synced. */
function spoil(begin: string): number[] {
  const open = readdirSync('/proc/self/fd').map(Number)
  const spoilt = open.filter((fd) => linkOf(fd).startsWith(begin))
  for (const fd of spoilt) {
    closeSync(fd)
    // The lowest free number is this one again.
    assert.equal(openSync('/dev/null', 'r'), fd)
  }
  return spoilt
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}
