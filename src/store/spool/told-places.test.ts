/** Up to where the index is said to have heard of messages. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { spoolEnvelope } from '../../../test/support/spool-world.ts'
import { openSpool } from './index.ts'
import { QueueIndex } from './queue-index.ts'
import { ToldPlaces } from './told-places.ts'

const at = (segment: string, offset: number) => ({ segment, offset, length: 100 })

test('all is told up to the first message that is not', () => {
  const places = new ToldPlaces()
  for (const offset of [32, 132, 232]) places.committed(at('a', offset))
  assert.deepEqual([...places.with([at('a', 132)])], [['a', 132]])
  places.written(places.with([at('a', 132)]))
  assert.deepEqual([...places.with([at('a', 132)])], [], 'what is told already is not told again')
  assert.deepEqual([...places.with([])], [['a', 332]])
})

test('a segment that is told of to its end needs no more telling', () => {
  const places = new ToldPlaces()
  places.committed(at('a', 32))
  places.committed(at('b', 32))
  places.written(places.with([at('b', 32)]))
  assert.deepEqual([...places.with([])], [['b', 132]])
})

test('messages that were complete before the index heard of them are told of once they are many', () => {
  const places = new ToldPlaces()
  for (let i = 0; i < 10_000; i++) places.committed(at('a', 32 + i * 100))
  assert.equal(places.farBehind, false)
  for (let i = 10_000; i < 20_000; i++) places.committed(at('a', 32 + i * 100))
  assert.equal(places.farBehind, true)
  places.written(places.with([]))
  assert.equal(places.farBehind, false)
})

test('who only looks at a queue reads nothing of what the index has', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-told-'))
  try {
    const spool = await openSpool({ directory, now: Date.now, log: () => undefined })
    const segments = new Set<string>()
    for (let i = 0; i < 50; i++) {
      const incoming = spool.begin()
      await incoming.write(Buffer.from('hello\n'))
      await incoming.commit(spoolEnvelope(incoming.id))
    }
    // Looking at the listing brings the index up to date.
    assert.equal([...spool.list()].length, 50)
    const index = QueueIndex.open(`${directory}/index`, true)
    for (const { entry } of index.range(undefined, undefined))
      for (const { segment, offset, length } of entry.parts) {
        segments.add(segment)
        assert.ok(offset + length <= index.toldUpTo(segment))
      }
    assert.equal(segments.size, 1)
    await index.close()
    // Another process sees messages that are committed and not told of.
    const late = spool.begin()
    await late.write(Buffer.from('late\n'))
    await late.commit(spoolEnvelope(late.id))
    const other = await openSpool({ directory, readOnly: true, now: Date.now, log: () => undefined })
    assert.equal(other.count(), 51)
    assert.notEqual(other.entry(late.id), undefined)
    await other.close()
    await spool.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
