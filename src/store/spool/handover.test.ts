/** Segments that change hands while somebody looks for them. */
import assert from 'node:assert/strict'
import fs, {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { addMessage, bodyOf, type SpoolWorld, spoolWorld } from '../../../test/support/spool-world.ts'
import { ownProcessKey, takeLock } from './process-key.ts'

/** Segments with their folders. */
function segmentsOf(world: SpoolWorld): string[] {
  return readdirSync(`${world.directory}/segments`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/[0-9a-f]{16}$/.test(name),
  )
}

/** Takes segments out of their folders, as if their handing over had begun; the lock is held until they are there again. */
async function inBetween(world: SpoolWorld, moved: readonly string[]): Promise<() => void> {
  const unlock = await takeLock(world.directory, 'lock', ownProcessKey(), 1000, undefined)
  const root = `${world.directory}/segments`
  const aside = `${world.directory}/aside`
  mkdirSync(aside)
  assert.ok(moved.length > 0)
  const asideOf = (name: string): string => `${aside}/${name.replace('/', '_')}`
  for (const name of moved) renameSync(`${root}/${name}`, asideOf(name))
  return () => {
    for (const name of moved) renameSync(asideOf(name), `${root}/${name}`)
    unlock()
  }
}

test('a message whose segment is just handed to another process is not taken for a damaged one', async (t) => {
  const world = spoolWorld(t)
  const writer = await world.open()
  const id = await addMessage(writer, 'text\n')
  await writer.close()
  const spool = await world.open({ careMs: 1_000_000 })
  const arrive = await inBetween(world, segmentsOf(world))
  const claiming = spool.claim(id)
  await new Promise((resolve) => setTimeout(resolve, 100))
  arrive()
  const claim = await claiming
  assert.ok(claim)
  assert.equal((await bodyOf(claim.message)).toString(), 'text\n')
  assert.deepEqual(spool.damaged, [])
  claim.release()
})

test('a tombstone outlives its segment while that of its message is just handed to another process', async (t) => {
  const world = spoolWorld(t)
  const writer = await world.open({ careMs: 1_000_000 })
  // Another message keeps the segment.
  const [id] = [await addMessage(writer, 'gone\n'), await addMessage(writer, 'stays\n')]
  assert.equal([...writer.list()].length, 2)
  const written = segmentsOf(world)
  const other = await world.open({ careMs: 1_000_000 })
  const claim = await other.claim(id)
  assert.ok(claim)
  await claim.complete()
  const arrive = await inBetween(world, written)
  const closing = other.close()
  await new Promise((resolve) => setTimeout(resolve, 100))
  arrive()
  await closing
  await writer.close()
  // The segments alone say what is in the queue.
  const lost = `${world.directory}/index`
  assert.ok(existsSync(lost))
  renameSync(lost, `${world.directory}/index.old`)
  const again = await world.open()
  assert.deepEqual([...again.list()].map((entry) => entry.id).includes(id), false)
  assert.equal(again.count(), 1)
})

test('a late line in the message log of a message that another process completed leaves no file', async (t) => {
  const world = spoolWorld(t)
  const [one, other] = [await world.open(), await world.open()]
  const id = await addMessage(one, 'text\n')
  assert.equal([...one.list()].length, 1)
  const claim = await one.claim(id)
  assert.ok(claim)
  // Written in the background: the claim does not wait for it.
  const { open } = fs
  const slow = t.mock.method(fs, 'open', (path: string, ...rest: never[]) => {
    setTimeout(
      () => (open as (...all: unknown[]) => void)(path, ...rest),
      path.includes('/msglog/') ? 300 : 0,
    )
  })
  syncBuiltinESMExports()
  try {
    claim.log('a line')
    claim.release()
    const taken = await other.claim(id)
    assert.ok(taken)
    await taken.complete()
    await other.close()
    await one.close()
    await new Promise((resolve) => setTimeout(resolve, 400))
  } finally {
    slow.mock.restore()
    syncBuiltinESMExports()
  }
  assert.deepEqual(readdirSync(`${world.directory}/msglog`), [])
})

test('the large body of a message that a process completed and was killed goes, although another took it in', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ careMs: 1_000_000 })
  const id = await addMessage(spool, Buffer.alloc(200_000, 'text\n'))
  assert.equal([...spool.list()].length, 1)
  const bodies = `${world.directory}/bodies`
  const [name = ''] = readdirSync(bodies)
  const other = await world.open({ careMs: 1_000_000 })
  // It is killed before the body is gone: a tombstone in a folder of nobody, and the body.
  linkSync(`${bodies}/${name}`, `${world.directory}/kept`)
  const claim = await other.claim(id)
  assert.ok(claim)
  await claim.complete()
  const [tombstone = ''] = segmentsOf(world).filter((one) => /\.1\//.test(one))
  mkdirSync(`${world.directory}/segments/1.1.dead`)
  copyFileSync(
    `${world.directory}/segments/${tombstone}`,
    `${world.directory}/segments/1.1.dead/${tombstone.split('/')[1]}`,
  )
  for (let i = 0; i < 100 && readdirSync(bodies).length > 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  renameSync(`${world.directory}/kept`, `${bodies}/${name}`)
  await spool.takeOver()
  for (let i = 0; i < 100 && readdirSync(bodies).length > 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(readdirSync(bodies), [])
})

test('what a killed process left of a message log goes when another takes over', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ careMs: 1_000_000 })
  const id = await addMessage(spool, 'text\n')
  assert.equal([...spool.list()].length, 1)
  for (const name of [id, '1xYLbG-000000001OP-2AEa'])
    writeFileSync(`${world.directory}/msglog/${name}`, 'a line\n')
  mkdirSync(`${world.directory}/segments/1.1.dead`)
  await spool.takeOver()
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual(readdirSync(`${world.directory}/msglog`), [id])
})
