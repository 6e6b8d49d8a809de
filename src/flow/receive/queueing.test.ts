import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliverHow } from './queueing.ts'
import type { Session, Transaction } from './session-state.ts'

/** What `deliverHow` looks at, and no more, of a session whose messages come while the load goes up and down. */
function sessionUnder(loads: readonly number[], latch: boolean): Session {
  let at = 0
  const session = {
    settings: {
      queue_only: false,
      queue_only_load: 5,
      queue_only_load_latch: latch,
      queue_only_override: true,
    },
    services: { load: () => loads[at++] ?? 0 },
    log: { selects: () => false },
    context: { ports: { files: {} } },
    remote: false,
    latchedLoad: undefined,
  }
  // The fields that are missing are never read on this way.
  return session as unknown as Session
}
const transaction = { message: { id: 'x', controls: {} } } as unknown as Transaction

for (const { says, latch, expected } of [
  {
    says: 'on: the first message that is queued decides for the rest of the connection',
    latch: true,
    expected: ['deliver', 'queue', 'queue', 'queue'],
  },
  {
    says: 'off: the load is looked at for each message',
    latch: false,
    expected: ['deliver', 'queue', 'deliver', 'queue'],
  },
]) {
  test(`queue_only_load_latch ${says}`, () => {
    const session = sessionUnder([1, 9, 2, 7], latch)
    assert.deepEqual(
      expected.map(() => deliverHow(session, transaction).next),
      expected,
    )
  })
}
