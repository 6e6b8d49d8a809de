import assert from 'node:assert/strict'
import { cpSync, readdirSync, utimesSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { addMessage, bodyOf, type SpoolWorld, spoolWorld } from '../../../test/support/spool-world.ts'

/** A spool whose process never gets round to the index. */
async function heldUp(t: TestContext): Promise<{ readonly world: SpoolWorld; readonly id: string }> {
  const world = spoolWorld(t)
  const spool = await world.open({ careMs: 3_600_000 })
  const early = await addMessage(spool)
  spool.entry(early)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const id = await addMessage(spool)
  const done = await spool.claim(await addMessage(spool))
  await done?.complete()
  return { world, id }
}

test('a message that is committed is listed, counted and read by others before it is in the index', async (t) => {
  const { world, id } = await heldUp(t)
  const look = await world.open({ readOnly: true })
  const ids = [...look.list()].map((entry) => entry.id)
  assert.equal(ids.length, 2)
  assert.equal(ids[1], id)
  assert.deepEqual(ids, ids.toSorted())
  assert.deepEqual([look.count(), look.count(''), look.count('other')], [2, 2, 0])
  assert.equal(look.entry(id)?.sender, 'alice@example.org')
  assert.equal((await bodyOf(await look.read(id))).toString(), 'hello\n')
  assert.deepEqual(
    [...look.list({ dueAt: Date.now() })].map((entry) => entry.id),
    ids,
  )
  assert.deepEqual(
    [...look.list({ from: id })].map((entry) => entry.id),
    [id],
  )
})

test('messages of a process that died are listed before another has taken over', async (t) => {
  const { world, id } = await heldUp(t)
  const segments = `${world.directory}/segments`
  const [own] = readdirSync(segments)
  assert.ok(own)
  const old = new Date(Date.now() - 3_600_000)
  for (const name of readdirSync(`${segments}/${own}`)) utimesSync(`${segments}/${own}/${name}`, old, old)
  const before = await world.open({ readOnly: true })
  assert.equal(before.entry(id), undefined)
  cpSync(`${segments}/${own}`, `${segments}/1.1.another-boot`, { recursive: true })
  const look = await world.open({ readOnly: true })
  assert.equal(look.entry(id)?.id, id)
  assert.equal(look.count(), 2)
})
