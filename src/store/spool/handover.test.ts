/** Segments that change hands while somebody looks for them. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
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
