/** What a listing shows, whichever way it is read; and the same again once the index was made anew. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { spoolEnvelope, spoolWorld } from '../../../test/support/spool-world.ts'
import type { Envelope } from '../../mail/envelope.ts'
import type { FrozenRow, ListedRow, MessageUpdate, QueueEntry, QueueQuery, Spool } from './api.ts'

interface Case {
  readonly envelope?: Partial<Envelope>
  readonly update?: MessageUpdate
}

const many = (number: number, more = ''): Envelope['recipients'] =>
  Array.from({ length: number }, (_, i) => ({ address: `user${i}${more}@example.net` }))
const cases: readonly Case[] = [
  {},
  { envelope: { sender: '', frozenAt: 5000 } },
  { envelope: { sender: 'j\xfcrgen@example.org', recipients: [{ address: '\xe9\x80@b.example' }] } },
  { envelope: { recipients: many(1) } },
  { envelope: { recipients: many(15) } },
  { envelope: { recipients: many(16) } },
  { envelope: { recipients: many(300, 'x'.repeat(40)) } },
  { envelope: { recipients: many(70_000) } },
  { envelope: { recipients: many(1, 'y'.repeat(70_000)) } },
  { envelope: { senderSetUntrusted: true, queueName: 'slow', receivedAt: 1_700_000_000_001.5 } },
  { envelope: { receivedAt: 0 } },
  { update: { done: ['bob@example.net', 'child@example.net'], reason: 'refused', nextAttemptAt: 9_999_000 } },
  { update: { firstDelivery: false } },
  { envelope: { frozenAt: 7000, recipients: many(20) }, update: { nextAttemptAt: 9_999_000 } },
  { envelope: { frozenAt: 7000, recipients: many(2), queueName: 'slow' } },
  { envelope: { frozenAt: 7000.5, sender: 'j\xfcrgen@example.org' }, update: { done: ['bob@example.net'] } },
]

for (const number of [1, 3, 100]) {
  test(`pages of ${number} rows show what the entries say`, async (t) => {
    const spool = await spoolWorld(t).open()
    await fill(spool)
    assert.deepEqual(pages(spool, number), [...spool.list()].map(asRow))
  })
}

test('a queue run is told of the frozen messages, and given all others', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  await fill(spool)
  const claimed = [...spool.list()].find(({ frozen }) => frozen)
  assert.ok(claimed !== undefined && (await spool.claim(claimed.id)) !== undefined)
  const beside = await world.open({ readOnly: true })
  const queries: QueueQuery[] = [
    {},
    { queueName: '' },
    { queueName: 'slow' },
    { dueAt: 1_800_000_000_000 },
    { dueAt: 1 },
    { queueName: '', dueAt: 1_800_000_000_000, order: 'arrival' },
    { from: claimed.id },
    { to: claimed.id },
  ]
  for (const query of queries) {
    const listed = [...spool.list(query)]
    for (const leaves of [() => true, () => false, ({ frozenAt }: FrozenRow) => frozenAt === 7000]) {
      const told: FrozenRow[] = []
      const given = spool.listUnless((row) => {
        told.push(row)
        return leaves(row)
      }, query)
      const rows = listed.flatMap(({ id, receivedAt, sender, frozenAt, claimedBy }) =>
        frozenAt === undefined || claimedBy !== undefined ? [] : [{ id, receivedAt, sender, frozenAt }],
      )
      const left = rows.filter(leaves).map(({ id }) => id)
      assert.deepEqual(
        [...given].filter((entry) => entry !== undefined),
        listed.filter(({ id }) => !left.includes(id)),
      )
      assert.deepEqual(told, rows)
    }
    assert.deepEqual(
      [...beside.listUnless(() => false, query)].filter((entry) => entry !== undefined),
      [...beside.list(query)],
    )
  }
})

test('who only looks sees the same, also what the index has not heard of', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open()
  await fill(spool)
  const rows = pages(spool, 5)
  const [first] = rows
  const incoming = spool.begin()
  await incoming.commit(spoolEnvelope(incoming.id))
  const beside = await world.open({ readOnly: true })
  assert.equal(pages(beside, 5).length, rows.length + 1)
  assert.deepEqual(pages(beside, 5)[0], first)
})

test('an index that is made anew says what the lost one said', async (t) => {
  const world = spoolWorld(t)
  // As if in two processes, whose ids differ.
  const spools = [
    await world.open({ segmentBytes: 100_000, localhostNumber: 1 }),
    await world.open({ segmentBytes: 100_000, localhostNumber: 2 }),
  ]
  for (const spool of [...spools, ...spools]) await fill(spool)
  const before = pages(await world.open({ readOnly: true }), 7)
  for (const spool of spools) await spool.close()
  rmSync(`${world.directory}/index`, { recursive: true })
  // Nothing is copied meanwhile, which would take a message for a moment.
  const spool = await world.open({ careMs: 3_600_000 })
  assert.ok(world.lines.some((line) => line.startsWith(`spool index rebuilt: ${before.length} messages`)))
  assert.equal(before.length, 4 * cases.length)
  assert.deepEqual(pages(spool, 7), before)
  assert.deepEqual(
    [...spool.list({ dueAt: 1 })].map(({ receivedAt }) => receivedAt),
    [0, 0, 0, 0],
  )
  // In the order that costs least.
  const due = [...spool.list({ dueAt: 1_800_000_000_000 })]
  assert.deepEqual(due.map(({ id }) => id).sort(), before.map(({ id }) => id).sort())
  assert.equal(spool.count('slow'), 8)
  for (const { id } of before) {
    const claim = await spool.claim(id)
    assert.ok(claim)
    await claim.complete()
  }
  assert.equal(spool.count(), 0)
})

async function fill(spool: Spool): Promise<void> {
  for (const { envelope, update } of cases) {
    const incoming = spool.begin()
    await incoming.write(Buffer.from('hello\n'))
    const stored = await incoming.commit(spoolEnvelope(incoming.id, envelope))
    const claim = update === undefined ? undefined : spool.claimCommitted(stored)
    if (update !== undefined) await claim?.record(update)
    claim?.release()
  }
}

function pages(spool: Spool, rows: number): ListedRow[] {
  const all: ListedRow[] = []
  for (let page = spool.page(undefined, rows); page.length > 0; page = spool.page(all.at(-1)?.id, rows))
    all.push(...page)
  return all
}

function asRow(entry: QueueEntry): ListedRow {
  const { id, receivedAt, size, sender, frozen, recipients, generated, queueName, login = '' } = entry
  const done = [...recipients.flatMap((each) => (each.done ? [each.address] : [])), ...generated]
  return {
    id,
    receivedAt,
    size,
    sender,
    frozen,
    recipients: recipients.map(({ address }) => address),
    done,
    queueName,
    login,
  }
}
