import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Hints } from '../../ports.ts'
import { createDraftHints } from './draft.ts'
import { createMemoryHints, openHints } from './index.ts'

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'postern-hints-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const kinds = [
  { says: 'in memory', open: (_t: TestContext) => ({ hints: createMemoryHints(), close: async () => {} }) },
  {
    says: 'as a draft',
    open: (_t: TestContext) => ({ hints: createDraftHints(createMemoryHints()), close: async () => {} }),
  },
  {
    says: 'in LMDB',
    open: async (t: TestContext) => {
      const hints = await openHints({ directory: folder(t) })
      return { hints, close: () => hints.close() }
    },
  },
]

for (const { says, open } of kinds) {
  test(`hints ${says}: what is put can be read, changed, listed and removed`, async (t) => {
    const { hints, close } = await open(t)
    await facts(hints)
    await close()
  })
}

async function facts(hints: Hints): Promise<void> {
  hints.put('retry', 'T:b.example', { tries: 1 })
  hints.put('retry', 'T:a.example', { tries: 2 })
  hints.put('misc', 'T:a.example', 'other database')
  assert.deepEqual(hints.get('retry', 'T:b.example'), { tries: 1 })
  const added = await Promise.all(
    Array.from({ length: 20 }, () => hints.update<number>('ratelimit', 'k', (old) => (old ?? 0) + 1)),
  )
  assert.equal(Math.max(...added.map((value) => value ?? 0)), 20)
  assert.deepEqual(
    [...hints.entries('retry', { start: 'T:', end: 'T;' })].map(({ key }) => key),
    ['T:a.example', 'T:b.example'],
  )
  hints.remove('retry', 'T:b.example')
  assert.equal(hints.get('retry', 'T:b.example'), undefined)
  await hints.update('ratelimit', 'k', () => undefined)
  assert.equal(hints.get('ratelimit', 'k'), undefined)
  const long = `${'x'.repeat(5000)}\0y`
  hints.put('seen', long, 1)
  assert.equal(hints.get('seen', long), 1)
}

test('a draft of hints shows what is kept, and changes nothing of it', async () => {
  const kept = createMemoryHints()
  kept.put('retry', 'a', 1)
  kept.put('retry', 'b', 2)
  const draft = createDraftHints(kept)
  await draft.update<number>('retry', 'a', (old) => (old ?? 0) + 10)
  draft.remove('retry', 'b')
  draft.put('retry', 'c', 3)
  assert.deepEqual(
    [...draft.entries('retry')],
    [
      { key: 'a', value: 11 },
      { key: 'c', value: 3 },
    ],
  )
  assert.deepEqual(
    [...kept.entries('retry')],
    [
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ],
  )
})

test('hints in LMDB survive closing', async (t) => {
  const directory = folder(t)
  const first = await openHints({ directory })
  first.put('retry', 'key', [1, 2])
  await first.close()
  const second = await openHints({ directory })
  assert.deepEqual(second.get('retry', 'key'), [1, 2])
  await second.close()
})

test('hints that cannot be read are begun anew', async (t) => {
  const directory = folder(t)
  const lines: string[] = []
  writeFileSync(`${directory}/data.mdb`, 'not a database '.repeat(1000))
  const hints = await openHints({ directory, log: (line) => lines.push(line) })
  hints.put('retry', 'key', 1)
  assert.equal(hints.get('retry', 'key'), 1)
  assert.match(lines.join('\n'), /^hints cannot be read and are begun anew: /)
  await hints.close()
})

test('hints of another boot are begun anew, as are those that a process died of', async (t) => {
  for (const [name, text] of [
    ['boot', 'another-boot'],
    ['opening.999999999', ''],
  ] as const) {
    const directory = folder(t)
    const first = await openHints({ directory })
    first.put('retry', 'key', 1)
    await first.close()
    writeFileSync(`${directory}/${name}`, text)
    const second = await openHints({ directory })
    assert.equal(second.get('retry', 'key'), undefined)
    await second.close()
  }
})

test('hints not written for long are tidied away', async (t) => {
  let time = 1000
  const hints = await openHints({ directory: folder(t), now: () => time })
  hints.put('callout', 'old', 1)
  await hints.update('misc', 'written', () => 1)
  for (let i = 0; i < 2500; i++) hints.put('retry', `host${i}`, i)
  time = 100_000
  hints.put('callout', 'new', 1)
  await hints.update('misc', 'written', () => 1)
  await hints.tidy(10_000)
  assert.equal(hints.get('callout', 'old'), undefined)
  assert.equal(hints.get('callout', 'new'), 1)
  assert.deepEqual([...hints.entries('retry')], [])
  await hints.close()
})

test('no hints are written into the spool of an Exim', async (t) => {
  const directory = folder(t)
  mkdirSync(`${directory}/input`)
  writeFileSync(`${directory}/input/1xVgtD-0003n0-0l-H`, '')
  await assert.rejects(openHints({ directory: `${directory}/hints` }), /is the spool of an Exim/)
})

test('processes that open the hints at the same time leave those of each other', async (t) => {
  const directory = folder(t)
  const code = `
import { openHints } from ${JSON.stringify(new URL('index.js', import.meta.url).href)}
const hints = await openHints({ directory: ${JSON.stringify(directory)}, log: console.log })
hints.put('misc', String(process.pid), 1)
await hints.close()
`
  const run = async (): Promise<string> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => (said += String(bytes)))
    await once(child, 'close')
    return said
  }
  // A process opens them once, as programs do.
  for (let round = 0; round < 6; round++)
    assert.deepEqual(await Promise.all(Array.from({ length: 5 }, run)), ['', '', '', '', ''])
  const hints = await openHints({ directory })
  assert.equal([...hints.entries('misc')].length, 30)
  await hints.close()
})
