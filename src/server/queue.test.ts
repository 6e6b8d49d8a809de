import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spoolEnvelope } from '../../test/support/spool-world.ts'
import type { Claim, FrozenRow, QueueEntry, Spool, SpooledMessage } from '../store/spool/api.ts'
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

interface Content {
  readonly listed?: readonly QueueEntry[]
  /** Messages that an ACL has left to queue runs. */
  readonly queueOnly?: readonly string[]
  readonly lines?: string[]
}

function world(committed: (id: string) => boolean = () => true, content: Content = {}): World {
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
      const found = message(id, 0)
      if (content.queueOnly?.includes(id) !== true) return claim(found)
      return claim({ ...found, envelope: { ...found.envelope, queueOnly: true } })
    },
    list: () => content.listed ?? [],
    listUnless: (leaves: (row: FrozenRow) => boolean) =>
      (content.listed ?? []).filter(
        ({ frozenAt, claimedBy, ...row }) =>
          frozenAt === undefined || claimedBy !== undefined || !leaves({ ...row, frozenAt }),
      ),
    claimCommitted: (of: SpooledMessage) => (committed(of.id) ? claim(of) : undefined),
  }
  const log = {
    selects: (selector: string) => selector === 'skip_delivery',
    main: (id: string | undefined, text: string) => void content.lines?.push(`${id} ${text}`),
    reject: () => {},
    panic: () => {},
  }
  const queue = new DeliveryQueue({
    // Only these are asked for here.
    spool: spool as unknown as Spool,
    log,
    deliver: async ({ id }) => {
      await gate
      delivered.push(id)
    },
    now: Date.now,
    pid: 1,
    staysFrozen: ({ frozenAt }) => frozenAt === 2,
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

function entry(id: string, fields: Partial<QueueEntry> = {}): QueueEntry {
  const plain = {
    receivedAt: 0,
    size: 1,
    sender: '',
    frozen: false,
    local: false,
    recipients: [],
    generated: [],
  }
  return { id, ...plain, queueName: '', nextAttemptAt: 0, firstDelivery: true, ...fields }
}
const run = { force: false, thaw: false, firstOnly: false, localOnly: false, twoStage: false }

test('a queue run reads no frozen message that stays frozen, and says so in the log', async () => {
  const lines: string[] = []
  const listed = [
    entry('stays', { frozen: true, frozenAt: 2 }),
    entry('thaws', { frozen: true, frozenAt: 1 }),
    entry('worked-on', { frozen: true, frozenAt: 2, claimedBy: 7 }),
    entry('plain'),
  ]
  const { queue, delivered, open } = world(() => true, { listed, lines })
  open()
  await queue.run(run)
  assert.deepEqual(delivered, ['thaws', 'worked-on', 'plain'])
  assert.deepEqual(lines, ['stays Message is frozen'])
  await queue.run({ ...run, force: true, thaw: true })
  assert.deepEqual(delivered.slice(3), ['stays', 'thaws', 'worked-on', 'plain'])
})

test('what a process that died has left is delivered, but for what waits for queue runs', async () => {
  const { queue, delivered, open, finished } = world(() => true, { queueOnly: ['b'] })
  open()
  queue.takeOver(['a', 'b', 'c'])
  await finished(2)
  await queue.idle()
  assert.deepEqual(delivered, ['a', 'c'])
})
