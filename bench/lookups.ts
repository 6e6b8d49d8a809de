/** An lsearch file of a million lines: reading it once, and asking it; a cdb file of the same keys beside it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildCdb } from '../src/language/lookups/cdb-write.ts'
import { expansionBench } from '../test/support/expansion-context.ts'
import type { LookupRequest } from '../src/ports.ts'
import type { Figure } from './run.ts'

const lines = 1_000_000
const questions = 300_000

export async function run(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  try {
    const file = join(folder, 'aliases')
    const key = (i: number): string => `user${i}@example${i % 1000}.org`
    writeFileSync(file, Array.from({ length: lines }, (_, i) => `${key(i)}: mailbox${i}\n`).join(''))
    const cdb = join(folder, 'aliases.cdb')
    const entries = Array.from({ length: lines }, (_, i) => ({ key: key(i), data: `mailbox${i}` }))
    const bytes = buildCdb(entries)
    if (bytes === undefined) throw new Error('too large')
    writeFileSync(cdb, bytes)
    return [...(await measure('lsearch', file, key)), ...(await measure('cdb', cdb, key))]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(type: string, file: string, key: (i: number) => string): Promise<Figure[]> {
  const { context } = expansionBench()
  const ask = (i: number) => {
    const request: LookupRequest = { type, options: '', key: key(i), file }
    return context.ports.lookup(request, context)
  }
  // The longest stretch without a turn of the event loop, while the file is read.
  let held = 0
  let last = performance.now()
  const timer = setInterval(() => {
    held = Math.max(held, performance.now() - last)
    last = performance.now()
  }, 1)
  const start = performance.now()
  await ask(0)
  const first = performance.now() - start
  clearInterval(timer)
  held = Math.max(held, performance.now() - last)
  const begin = performance.now()
  let found = 0
  for (let i = 0; i < questions; i++) {
    const result = ask((i * 7919) % (lines + lines / 2))
    if (!(result instanceof Promise) && result.is === 'found') found++
  }
  const each = (performance.now() - begin) / questions
  if (found < questions / 2) throw new Error(`only ${found} were found`)
  return [
    { name: `${type}: reading ${lines.toLocaleString('en')} lines, once`, value: first, unit: 'ms' },
    { name: `${type}: the event loop held at most`, value: held, unit: 'ms' },
    { name: `${type}: asking`, value: each * 1000, unit: 'µs' },
  ]
}
