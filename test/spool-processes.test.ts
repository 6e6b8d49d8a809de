/** Several processes on one spool at once, living and dying. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Spool } from '../src/store/spool/index.ts'
import { bodies, type Step } from './support/spool-child.ts'
import { addMessage, bodyOf, spoolWorld } from './support/spool-world.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), 'support', 'spool-child.js')

interface Child {
  readonly process: ChildProcess
  /** Resolves when the child has told that it did the last of its steps. */
  did(step: Step): Promise<void>
  ids(): string[]
  /** All that it told. */
  output(): string
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
    output: () => output,
    ids: () => [...output.matchAll(/^begun (\S+)$/gm)].map(([, id]) => id ?? ''),
    kill,
  }
}

const shortly = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

async function listed(spool: Spool, count: number): Promise<string[]> {
  // A disk that is slow to sync holds up who writes the index.
  for (let i = 0; i < 3000 && spool.count() !== count; i++) await shortly(10)
  return [...spool.list()].map(({ id }) => id)
}

test('a large body that came since the index was read is not taken for one that nobody needs', async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ careMs: 1_000_000 })
  // From here on, until the next turn, the index is read as it is now.
  assert.equal(spool.entry('none'), undefined)
  const other = spawnSync(process.execPath, [program, world.directory, 'receive-large,close'], {
    encoding: 'utf8',
  })
  const id = /^begun (\S+)$/m.exec(other.stdout)?.[1] ?? ''
  await spool.takeOver()
  const claim = await spool.claim(id)
  assert.ok(claim)
  assert.ok(bodies['receive-large'].equals(await bodyOf(claim.message)))
})

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
  for (const child of children) assert.doesNotMatch(child.output(), /^(?:refused|log) /m)
  assert.deepEqual(await listed(spool, 8), children.flatMap((child) => child.ids()).sort())
})

test('processes killed at random moments beside a living one lose nothing', async (t) => {
  const world = spoolWorld(t)
  const acknowledged = new Set<string>()
  const delivered = new Set<string>()
  const load = join(dirname(program), 'spool-load.js')
  const children: ChildProcess[] = []
  let ended = false
  const begin = (): void => {
    if (ended) return
    const running = spawn(process.execPath, [load, world.directory], { stdio: ['ignore', 'pipe', 'pipe'] })
    let rest = ''
    running.stdout.on('data', (bytes: Buffer) => {
      const lines = (rest + bytes.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) (line.startsWith('A ') ? acknowledged : delivered).add(line.slice(2))
    })
    running.stderr.on('data', (bytes: Buffer) => void world.lines.push(bytes.toString()))
    running.on('close', begin)
    children.push(running)
  }
  t.after(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  begin()
  begin()
  const spool = await world.open({ careMs: 100 })
  const deliverSome = async (): Promise<number> => {
    let count = 0
    for (const { id, claimedBy } of spool.list()) {
      const claim = claimedBy === undefined ? await spool.claim(id) : undefined
      if (claim === undefined) continue
      delivered.add(id)
      await claim.complete()
      if (++count === 100) break
    }
    return count
  }
  for (let kill = 0; kill < 12; kill++) {
    for (let i = 0; i < 4; i++) {
      await deliverSome()
      await shortly(50)
    }
    children.at(-1 - (kill % 2))?.kill('SIGKILL')
  }
  ended = true
  const gone = children.map(
    (child) => new Promise((resolve) => child.exitCode ?? child.signalCode ?? child.once('close', resolve)),
  )
  for (const child of children) child.kill('SIGKILL')
  await Promise.race([Promise.all(gone), shortly(500)])
  await spool.close()
  const last = await world.open()
  for (const { id } of last.list()) delivered.add(id)
  assert.ok(acknowledged.size > 200, `only ${acknowledged.size}`)
  assert.deepEqual(
    [...acknowledged].filter((id) => !delivered.has(id)),
    [],
  )
  const strange = world.lines.join('').replaceAll(/^spool.*(took over|rebuilt|never finished).*\n?/gm, '')
  assert.equal(strange, '')
})

test('a process that only looks sees the queue, and writes nothing', async (t) => {
  const world = spoolWorld(t)
  const child = start(t, world.directory, ['receive', 'receive-large', 'settle', 'stay'])
  await child.did('stay')
  const before = readdirSync(`${world.directory}/segments`)
  const spool = await world.open({ readOnly: true })
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    child.ids(),
  )
  assert.equal((await spool.read(child.ids()[0] ?? ''))?.envelope.sender, 'alice@example.org')
  assert.equal(await spool.messageLog(child.ids()[0] ?? ''), '')
  assert.throws(() => spool.begin(), { code: 'read-only' })
  await assert.rejects(async () => spool.claim(child.ids()[0] ?? ''), { code: 'read-only' })
  assert.deepEqual(readdirSync(`${world.directory}/segments`), before)
  await spool.close()
})

test('a process that only looks puts the spool in order when the last one died', async (t) => {
  const world = spoolWorld(t)
  const child = start(t, world.directory, ['receive', 'stay'])
  await child.did('stay')
  await child.kill()
  const spool = await world.open({ readOnly: true })
  assert.deepEqual(
    [...spool.list()].map(({ id }) => id),
    child.ids(),
  )
})

const noRoot = process.getuid?.() === 0 ? undefined : 'needs root'
test('what root writes belongs to the run-time user', { skip: noRoot ?? false }, async (t) => {
  const world = spoolWorld(t)
  const spool = await world.open({ owner: { uid: 8, gid: 8 } })
  await addMessage(spool, Buffer.alloc(100_000, 'x'))
  const claim = await spool.claim(await addMessage(spool))
  claim?.log('a line')
  claim?.release()
  await shortly(60)
  const foreign = readdirSync(world.directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => statSync(`${world.directory}/${name}`).uid !== 8,
  )
  assert.deepEqual(foreign, [])
})

test('what the index knows of a process that was killed is not read again', async (t) => {
  const world = spoolWorld(t)
  const load = join(dirname(program), 'spool-load.js')
  const child = spawn(process.execPath, [load, world.directory], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.after(() => child.kill('SIGKILL'))
  const acknowledged = new Set<string>()
  const completed = new Set<string>()
  let rest = ''
  child.stdout.on('data', (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) (line.startsWith('A ') ? acknowledged : completed).add(line.slice(2))
  })
  const segments = `${world.directory}/segments`
  const settled = (): { name: string; size: number }[] => {
    const [folder = ''] = existsSync(segments) ? readdirSync(segments) : []
    const file = join(segments, folder, 'settled')
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
  }
  for (let i = 0; i < 600 && settled().length < 3; i++) await shortly(50)
  const gone = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await gone
  const [folder = ''] = readdirSync(segments)
  const first = settled().find(({ name }) => existsSync(join(segments, folder, name)))
  assert.ok(first !== undefined, 'some segments are settled')
  // Whoever reads it meets damage and says so; its messages are seen to when they are wanted.
  const path = join(segments, folder, first.name)
  const bytes = readFileSync(path)
  bytes.fill(0xff, 2000, 9000)
  writeFileSync(path, bytes)
  const spool = await world.open()
  assert.match(world.lines.join('\n'), /took over \d+ segments/)
  assert.doesNotMatch(world.lines.join('\n'), /damaged|never finished|rebuilt/)
  const there = new Set([...spool.list()].map(({ id }) => id))
  const missing = [...acknowledged].filter((id) => !there.has(id) && !completed.has(id))
  assert.deepEqual(missing, [])
})
