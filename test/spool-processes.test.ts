/** Several processes on one spool at once, living and dying. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Spool } from '../src/store/spool/index.ts'
import type { Step } from './support/spool-child.ts'
import { addMessage, spoolWorld } from './support/spool-world.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), 'support', 'spool-child.js')

interface Child {
  readonly process: ChildProcess
  /** Resolves when the child has told that it did the last of its steps. */
  did(step: Step): Promise<void>
  ids(): string[]
  kill(): Promise<void>
}

function start(t: TestContext, directory: string, steps: readonly Step[]): Child {
  const running = spawn(process.execPath, [program, directory, steps.join()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let wake = (): void => {}
  running.stdout.setEncoding('utf8')
  running.stdout.on('data', (text: string) => {
    output += text
    wake()
  })
  const ended = new Promise<void>((resolve) => running.on('close', () => resolve()))
  const kill = async (): Promise<void> => {
    running.kill('SIGKILL')
    await ended
  }
  t.after(kill)
  return {
    process: running,
    async did(step) {
      while (!output.includes(`did ${step}\n`)) await new Promise<void>((resolve) => (wake = resolve))
    },
    ids: () => [...output.matchAll(/^begun (\S+)$/gm)].map(([, id]) => id ?? ''),
    kill,
  }
}

const shortly = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

async function listed(spool: Spool, count: number): Promise<string[]> {
  for (let i = 0; i < 400 && spool.count() !== count; i++) await shortly(10)
  return [...spool.list()].map(({ id }) => id)
}

test('what one process queues another lists, claims and completes', async (t) => {
  const world = spoolWorld(t)
  const child = start(t, world.directory, ['receive', 'receive-large', 'settle', 'stay'])
  await child.did('stay')
  const spool = await world.open({ careMs: 100 })
  assert.deepEqual(await listed(spool, 2), child.ids())
  for (const id of child.ids()) {
    const claim = await spool.claim(id)
    assert.ok(claim)
    await claim.record({ done: ['bob@example.net'] })
    await claim.complete()
  }
  assert.deepEqual(await listed(spool, 0), [])
  assert.deepEqual(readdirSync(`${world.directory}/segments`).length, 2)
})

test('a message that a living process works on cannot be claimed', async (t) => {
  const world = spoolWorld(t)
  const child = start(t, world.directory, ['receive', 'claim', 'settle', 'stay'])
  await child.did('stay')
  const spool = await world.open({ careMs: 100 })
  const [id = ''] = child.ids()
  assert.equal(await spool.claim(id), undefined)
  assert.equal(spool.entry(id)?.claimedBy, child.process.pid)
})

const deaths: {
  readonly says: string
  readonly steps: readonly Step[]
  readonly finds: 'fresh' | 'marked' | 'gone'
}[] = [
  { says: 'after it received', steps: ['receive', 'stay'], finds: 'fresh' },
  { says: 'after it claimed', steps: ['receive', 'claim', 'settle', 'stay'], finds: 'fresh' },
  { says: 'after it marked', steps: ['receive', 'claim', 'settle', 'mark', 'stay'], finds: 'marked' },
  { says: 'after it completed', steps: ['receive', 'claim', 'settle', 'complete', 'stay'], finds: 'gone' },
]
for (const { says, steps, finds } of deaths) {
  test(`the claims and records of a process that dies ${says} are taken over by a living one`, async (t) => {
    const world = spoolWorld(t)
    const spool = await world.open({ careMs: 100 })
    const own = await addMessage(spool)
    const child = start(t, world.directory, steps)
    await child.did('stay')
    await child.kill()
    const [id = ''] = child.ids()
    // The index may not know the message yet: the periodic look for dead processes finds it.
    if (says === 'after it received') assert.deepEqual(await listed(spool, 2), [own, id].sort())
    const claim = await spool.claim(id)
    if (finds === 'gone') assert.equal(claim, undefined)
    else assert.deepEqual(claim?.message.envelope.done, finds === 'marked' ? ['bob@example.net'] : [])
    await claim?.complete()
    const last = await spool.claim(own)
    await last?.complete()
    assert.deepEqual(await listed(spool, 0), [])
    await spool.close()
    const again = await world.open({ careMs: 100 })
    assert.equal(again.count(), 0)
  })
}

test('what a dead process completed of another’s messages stays completed, also without the index', async (t) => {
  const world = spoolWorld(t)
  const owner = start(t, world.directory, ['receive', 'receive', 'settle', 'stay'])
  await owner.did('stay')
  const [first = '', second = ''] = owner.ids()
  const spool = await world.open({ careMs: 100 })
  const claim = await spool.claim(first)
  await claim?.complete()
  await spool.close()
  await owner.kill()
  const after = await world.open({ careMs: 100 })
  assert.deepEqual(
    [...after.list()].map(({ id }) => id),
    [second],
  )
})

test('processes that start at once on a new spool all find it in order', async (t) => {
  const world = spoolWorld(t)
  const children = Array.from({ length: 4 }, () =>
    start(t, world.directory, ['receive', 'receive-large', 'settle', 'stay']),
  )
  for (const child of children) await child.did('stay')
  const spool = await world.open({ careMs: 100 })
  assert.deepEqual(await listed(spool, 8), children.flatMap((child) => child.ids()).sort())
})
