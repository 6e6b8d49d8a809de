/**
 * The table of crash points in docs/spool-format.md as a test: a process is killed at each of them, and the next one
 * opens the spool.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from './support/server.ts'
import { bodies, type Step } from './support/spool-child.ts'
import { addMessage, bodyOf, type SpoolWorld, spoolWorld } from './support/spool-world.ts'

const child = join(dirname(fileURLToPath(import.meta.url)), 'support', 'spool-child.js')

interface Row {
  readonly point: string
  readonly during: Step | 'open'
  readonly steps: readonly Step[]
  /** What the next process finds. */
  readonly finds: 'nothing' | 'message' | 'marked message'
}

const deliver: readonly Step[] = ['receive', 'claim', 'mark', 'complete', 'settle']
const deliverLarge: readonly Step[] = ['receive-large', 'claim', 'mark', 'complete', 'settle']
const deliverLate: readonly Step[] = ['receive', 'claim', 'settle', 'mark', 'complete', 'settle']

const table: readonly Row[] = [
  { point: 'segment-made', during: 'receive', steps: deliver, finds: 'nothing' },
  { point: 'record-begun', during: 'receive', steps: deliver, finds: 'nothing' },
  { point: 'record-written', during: 'receive', steps: deliver, finds: 'message' },
  { point: 'record-synced', during: 'receive', steps: deliver, finds: 'message' },
  { point: 'message-committed', during: 'receive', steps: deliver, finds: 'message' },
  { point: 'body-written', during: 'receive-large', steps: deliverLarge, finds: 'nothing' },
  { point: 'body-synced', during: 'receive-large', steps: deliverLarge, finds: 'nothing' },
  { point: 'record-begun', during: 'receive-large', steps: deliverLarge, finds: 'nothing' },
  { point: 'record-synced', during: 'receive-large', steps: deliverLarge, finds: 'message' },
  { point: 'index-written', during: 'settle', steps: deliverLate, finds: 'message' },
  { point: 'record-begun', during: 'mark', steps: deliver, finds: 'message' },
  { point: 'record-written', during: 'mark', steps: deliver, finds: 'marked message' },
  { point: 'mark-recorded', during: 'mark', steps: deliver, finds: 'marked message' },
  { point: 'mark-recorded', during: 'mark', steps: deliverLate, finds: 'marked message' },
  { point: 'record-begun', during: 'complete', steps: deliver, finds: 'marked message' },
  { point: 'record-synced', during: 'complete', steps: deliver, finds: 'nothing' },
  { point: 'tombstone-recorded', during: 'complete', steps: deliver, finds: 'nothing' },
  { point: 'tombstone-recorded', during: 'complete', steps: deliverLate, finds: 'nothing' },
  { point: 'tombstone-recorded', during: 'complete', steps: deliverLarge, finds: 'nothing' },
  { point: 'index-emptied', during: 'open', steps: deliver, finds: 'message' },
  { point: 'index-filled', during: 'open', steps: deliver, finds: 'message' },
  { point: 'segment-dropping', during: 'close', steps: [...deliver, 'close'], finds: 'nothing' },
]

for (const row of table) {
  const size = row.steps.includes('receive-large') ? 'large' : 'small'
  const late = row.steps === deliverLate ? ', when the index knows it' : ''
  test(`killed at ${row.point} of ${row.during}, a ${size} message${late}: ${row.finds}`, async (t) => {
    const world = spoolWorld(t)
    const { directory } = world
    // Another process left a message before, and the index has been lost.
    const before = row.during === 'open' ? await queued(world) : undefined
    const dead = spawnSync(process.execPath, [child, directory, row.steps.join(), row.point, row.during], {
      encoding: 'utf8',
    })
    assert.equal(dead.signal, 'SIGKILL', dead.stdout + dead.stderr)
    const id = before ?? /^begun (\S+)/m.exec(dead.stdout)?.[1] ?? ''
    const acknowledged = /^did receive/m.test(dead.stdout)
    const spool = await world.open()
    assert.equal(spool.count(), row.finds === 'nothing' ? 0 : 1)
    assert.ok(!acknowledged || row.finds !== 'nothing' || /^did mark/m.test(dead.stdout))
    assert.deepEqual(spool.damaged, [])
    const expected = row.finds !== 'nothing' && size === 'large' ? 1 : 0
    const left = (): number => readdirSync(`${directory}/bodies`).length
    await until(() => (left() === expected ? true : undefined), 30_000)
    assert.equal(left(), expected)
    if (row.finds === 'nothing') return
    const claim = await spool.claim(id)
    assert.ok(claim, world.lines.join('\n'))
    assert.deepEqual(claim.message.envelope.done, row.finds === 'message' ? [] : ['bob@example.net'])
    assert.equal(claim.message.envelope.firstDelivery, row.finds === 'message')
    assert.deepEqual(await bodyOf(claim.message), bodies[size === 'large' ? 'receive-large' : 'receive'])
    await claim.complete()
    await spool.close()
    const after = await world.open()
    assert.equal(after.count(), 0)
  })
}

/** A message that a process left that ended in order; the index is gone. */
async function queued(world: SpoolWorld): Promise<string> {
  const spool = await world.open()
  const id = await addMessage(spool, bodies.receive)
  await spool.close()
  rmSync(`${world.directory}/index`, { recursive: true })
  return id
}

test('after a sync that failed nothing more is acknowledged until the next start', async (t) => {
  const world = spoolWorld(t)
  const steps: readonly Step[] = ['receive', 'claim', 'receive-large', 'receive', 'receive']
  const args = [child, world.directory, steps.join(), 'break-sync', 'receive-large']
  const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(stdout.match(/^did receive/gm)?.length, 1, stdout)
  assert.equal(stdout.match(/^refused sync-failed$/gm)?.length, 3, stdout)
  const spool = await world.open()
  assert.ok(spool.count() >= 1)
  assert.equal(
    (await spool.read(/^begun (\S+)/.exec(stdout)?.[1] ?? ''))?.id,
    /^begun (\S+)/.exec(stdout)?.[1],
  )
})

test('every crash point of the document is in the test, and the other way round', (t) => {
  const document = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'spool-format.md')
  if (!existsSync(document)) return t.skip('the documents are not beside this build')
  const named = [...readFileSync(document, 'utf8').matchAll(/^\| `([a-z-]+)` \|/gm)].map(
    ([, name]) => name ?? '',
  )
  assert.deepEqual(new Set(named), new Set(table.map(({ point }) => point)))
})

test('a process killed again and again under load loses nothing that it acknowledged', async (t) => {
  const world = spoolWorld(t)
  const { directory } = world
  const acknowledged = new Set<string>()
  for (let round = 0; round < 5; round++) {
    const steps = Array.from({ length: 400 }, (_, i): Step => (i % 10 === 0 ? 'receive-large' : 'receive'))
    const running = spawn(process.execPath, [child, directory, steps.join()])
    let output = ''
    running.stdout.setEncoding('utf8')
    const ended = new Promise((resolve) => running.on('close', resolve))
    running.stdout.on('data', (text: string) => {
      output += text
      if (output.length > 1500 + round * 1000) running.kill('SIGKILL')
    })
    await ended
    for (const [, id] of output.matchAll(/^begun (\S+)\ndid receive/gm)) acknowledged.add(id ?? '')
  }
  assert.ok(acknowledged.size > 30, `only ${acknowledged.size}`)
  const spool = await world.open()
  for (const id of acknowledged) {
    const message = await spool.read(id)
    const size = message?.bodySize === bodies.receive.length ? 'receive' : 'receive-large'
    assert.deepEqual(message === undefined ? undefined : await bodyOf(message), bodies[size], id)
  }
  // At most one message a round was on disk and not yet acknowledged.
  assert.ok(spool.count() - acknowledged.size <= 5)
  assert.deepEqual(spool.damaged, [])
})
