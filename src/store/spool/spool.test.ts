import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addMessage, bodyOf, spoolEnvelope, spoolWorld } from '../../../test/support/spool-world.ts'

test('a committed message can be claimed, recorded on and completed', async (t) => {
  const spool = await spoolWorld(t).open()
  const incoming = spool.begin({ sizeHint: 100 })
  void incoming.write(Buffer.from('hello\n'))
  const message = await incoming.commit(spoolEnvelope(incoming.id))
  assert.equal(spool.count(), 1)
  const claim = spool.claimCommitted(message)
  assert.ok(claim)
  assert.equal(spool.claimCommitted(message), undefined)
  assert.equal(await spool.claim(message.id), undefined)
  await claim.record({ done: ['bob@example.net'] })
  assert.deepEqual(spool.entry(message.id)?.recipients, [
    { address: 'bob@example.net', done: true },
    { address: 'carol@example.net', done: false },
  ])
  assert.equal(spool.entry(message.id)?.claimedBy, process.pid)
  await claim.complete()
  assert.equal(spool.count(), 0)
  assert.equal(spool.entry(message.id), undefined)
  assert.deepEqual([...spool.list()], [])
})

test('a released message can be claimed again with what was recorded', async (t) => {
  const spool = await spoolWorld(t).open()
  const id = await addMessage(spool)
  const first = await spool.claim(id)
  assert.ok(first)
  await first.record({
    done: ['bob@example.net'],
    frozenAt: 5000,
    nextAttemptAt: 9_999_000,
    reason: 'refused',
  })
  first.log('a line')
  first.release()
  spool.entry(id)
  const second = await spool.claim(id)
  assert.ok(second)
  assert.deepEqual(second.message.envelope.done, ['bob@example.net'])
  assert.equal(second.message.envelope.frozenAt, 5000)
  await second.record({ frozenAt: null })
  assert.equal(second.message.envelope.frozenAt, undefined)
  assert.equal((await bodyOf(second.message)).toString(), 'hello\n')
  second.release()
  const entry = spool.entry(id)
  assert.equal(entry?.reason, 'refused')
  assert.equal(entry?.nextAttemptAt, 9_999_000)
  assert.deepEqual([...spool.list({ dueAt: 9_998_000 })], [])
  assert.equal([...spool.list({ dueAt: 9_999_000 })].length, 1)
})

for (const size of [0, 1, 65_536, 65_537, 300_000]) {
  test(`a body of ${size} bytes survives closing and opening`, async (t) => {
    const world = spoolWorld(t)
    const body = Buffer.alloc(size, 'abcdefghi\n')
    const spool = await world.open()
    const incoming = spool.begin()
    for (let at = 0; at < size; at += 10_000) await incoming.write(body.subarray(at, at + 10_000))
    assert.equal(incoming.size, size)
    assert.deepEqual(Buffer.from(await incoming.peek(20)), body.subarray(0, 20))
    assert.deepEqual(Buffer.from(await incoming.peekEnd(20)), body.subarray(Math.max(0, size - 20)))
    await incoming.commit(spoolEnvelope(incoming.id))
    await spool.close()
    const again = await world.open()
    assert.equal(again.count(), 1)
    const message = await again.read(incoming.id)
    assert.equal(message?.bodySize, size)
    assert.deepEqual(await bodyOf(message), body)
    const claim = await again.claim(incoming.id)
    await claim?.complete()
    assert.equal(again.count(), 0)
  })
}
