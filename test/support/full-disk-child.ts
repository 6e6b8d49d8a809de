/** A process that works on a spool and on hints while the disk beneath them is full again and again: FOLDER SEED. */
import assert from 'node:assert/strict'
import { closeSync, openSync, statSync, truncateSync, writeSync } from 'node:fs'
import { openHints } from '../../src/store/hints/index.ts'
import { openSpool, type Spool } from '../../src/store/spool/index.ts'
import { addMessage } from './spool-world.ts'

const [folder = '', seed = '1'] = process.argv.slice(2)
const filler = `${folder}/filler`
let state = Number(seed)
const random = (below: number): number => {
  state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff
  return state % below
}

const lines: string[] = []
const log = (line: string): void => void lines.push(line)
const spool = await openSpool({
  directory: `${folder}/spool`,
  now: Date.now,
  log,
  segmentBytes: 1 << 20,
  careMs: 50,
})
const hints = await openHints({ directory: `${folder}/spool/hints`, log })

const queued = new Set<string>()
let refused = 0
let unclaimed = 0
for (let round = 0; round < 8; round++) {
  fill(random(6) * 4096)
  for (let i = 0; i < 40; i++) await work()
  truncateSync(filler, 0)
  for (let i = 0; i < 10; i++) await work()
}
await new Promise((resolve) => setTimeout(resolve, 1500))

// With room again everything works, and nothing that was acknowledged is missing.
assert.deepEqual(new Set([...spool.list()].map(({ id }) => id)), queued)
for (const id of [...queued].slice(0, 20)) await finish(spool, id)
hints.put('retry', 'after', 'it')
assert.equal(await hints.update<number>('ratelimit', 'after', (old) => (old ?? 0) + 1), 1)
await hints.close()
await spool.close()
process.stdout.write(JSON.stringify({ refused, unclaimed, lines }))

async function work(): Promise<void> {
  hints.put('callout', `key${random(3000)}`, 'v'.repeat(random(2000)))
  await hints.update('ratelimit', `key${random(3000)}`, () => 'v'.repeat(random(2000)))
  try {
    const id = await addMessage(spool, Buffer.alloc(random(3000), 'x\n'))
    queued.add(id)
    // Now and then one is left to the index.
    if (random(2) === 0) await new Promise((resolve) => setTimeout(resolve, 30))
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'full', String(error))
    refused++
  }
  const id = [...queued][random(Math.max(1, queued.size))]
  if (id === undefined || random(3) > 0) return
  const claim = await spool.claim(id)
  if (claim === undefined) unclaimed++
  else if (random(2) === 0) claim.release()
  else {
    // A tombstone waits for room.
    queued.delete(id)
    void claim.complete()
  }
}

async function finish(of: Spool, id: string): Promise<void> {
  const claim = await of.claim(id)
  assert.ok(claim, `${id} cannot be claimed`)
  await claim.complete()
}

/** Fills the disk but for some bytes. */
function fill(leave: number): void {
  const fd = openSync(filler, 'a')
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096))
  } catch {
    // Full now.
  } finally {
    closeSync(fd)
  }
  truncateSync(filler, Math.max(0, statSync(filler).size - leave))
}
