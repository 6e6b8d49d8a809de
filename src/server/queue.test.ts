import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spoolEnvelope } from '../../test/support/spool-world.ts'
import type { Claim, Spool, SpooledMessage } from '../store/spool/api.ts'
import { DeliveryQueue } from './queue.ts'

function message(id: string, bodySize: number): SpooledMessage {
  return {
    id,
    envelope: spoolEnvelope(id),
    bodySize,
    async *body() {},
    smallBody: () => undefined,
  }
}

interface World {
  readonly queue: DeliveryQueue
  readonly delivered: string[]
  /** Read from the spool again. */
  readonly read: string[]
  /** Lets the first delivery, which waits, go on. */
  open(): void
  finished(count: number): Promise<void>
}

function world(committed: (id: string) => boolean = () => true): World {
  const delivered: string[] = []
  const read: string[] = []
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const claim = (of: SpooledMessage): Claim => ({
    id: of.id,
    message: of,
    record: async () => {},
    log: () => {},
    complete: async () => {},
    release: () => {},
  })
  const spool = {
    claim: async (id: string) => {
      read.push(id)
      return claim(message(id, 0))
    },
    claimCommitted: (of: SpooledMessage) => (committed(of.id) ? claim(of) : undefined),
  }
  const silent = { selects: () => false, main: () => {}, reject: () => {}, panic: () => {} }
  const queue = new DeliveryQueue({
    // Only these two are asked for here.
    spool: spool as unknown as Spool,
    log: silent,
    deliver: async ({ id }) => {
      await gate
      delivered.push(id)
    },
    now: Date.now,
    pid: 1,
    parallel: 1,
    parallelInRun: 1,
    onFault: (id, error) => assert.fail(`${id}: ${String(error)}`),
  })
  return {
    queue,
    delivered,
    read,
    open,
    async finished(count) {
      while (delivered.length < count) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

test('messages that wait keep a bounded number of bytes in memory; all are delivered in order', async () => {
  const { queue, delivered, read, open, finished } = world()
  const ids = Array.from({ length: 300 }, (_, index) => `m${index}`)
  for (const id of ids) queue.accepted(message(id, 60_000))
  assert.equal(queue.running, 1)
  open()
  await finished(300)
  assert.deepEqual(delivered, ids)
  // 8 MB are about 135 of these.
  assert.ok(read.length > 150 && read.length < 180, `${read.length} were read again`)
  assert.ok(!read.includes('m100'))
})

test('a message whose claim the index has by now is claimed there', async () => {
  const { queue, delivered, read, open, finished } = world(() => false)
  open()
  queue.accepted(message('a', 10))
  await queue.deliverNow(message('b', 10))
  await finished(2)
  assert.deepEqual(delivered.toSorted(), ['a', 'b'])
  assert.deepEqual(read.toSorted(), ['a', 'b'])
})

test('a queue that drains waits for claims under way', async () => {
  const { queue, delivered, open } = world(() => false)
  queue.accepted(message('a', 10))
  queue.accepted(message('b', 10))
  const drained = queue.drain()
  open()
  await drained
  assert.deepEqual(delivered, ['a'])
})
