/** A long queue costs no more than a short one to start with, to count and to begin listing. `npm run bench` has it with 200,000. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { longQueue } from './support/long-queue.ts'

test('20,000 messages: the daemon starts, -bpc counts and -bp begins at once', {
  timeout: 120_000,
}, async () => {
  const times = await longQueue(20_000)
  assert.equal(times.counted, '20000\n')
  assert.match(times.firstLine, /^ 0m +\S+ \S+ <alice@example\.org>/)
  // Generous: the machine may be busy.
  assert.ok(times.startMs < 15_000 && times.countMs < 5000 && times.headMs < 5000, JSON.stringify(times))
})
