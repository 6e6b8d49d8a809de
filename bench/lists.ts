/** Lists of 100,000 items: compiling them once, and asking them. `growth.ts` has other lengths. */
import { policyBench } from '../test/support/policy-world.ts'
import { Expandable } from '../src/base/expandable.ts'
import type { ListKind } from '../src/language/config/configuration.ts'
import type { HostSubject } from '../src/ports.ts'

const QUESTIONS = 200_000

interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
}

/** Measures and gives one row for each figure. */
export function run(): Promise<Row[]> {
  return measureLists(100_000)
}

/** A list of domains and one of networks, of so many items each. */
export async function measureLists(count: number): Promise<Row[]> {
  const rows: Row[] = []
  const names = Array.from({ length: count }, (_, i) => (i % 10 === 0 ? `*.d${i}.example` : `d${i}.example`))
  const networks = Array.from(
    { length: count },
    (_, i) => `${(i >> 16) + 11}.${(i >> 8) & 255}.${i & 255}.0/${i % 3 === 0 ? 24 : 28}`,
  )
  rows.push(...(await measure('domains', 'domain', names, (i) => `x.d${i % (2 * count)}.example`)))
  rows.push(
    ...(await measure('networks', 'host', networks, (i) => ({
      address: `${((i >> 16) % 9) + 11}.${(i >> 8) & 255}.${i & 255}.7`,
    }))),
  )
  return rows
}

async function measure<K extends ListKind>(
  what: string,
  kind: K,
  items: readonly string[],
  subject: (i: number) => K extends 'host' ? HostSubject : string,
): Promise<Row[]> {
  globalThis.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  const { context: traced } = policyBench()
  const context = { ...traced, debug: undefined }
  const list = new Expandable(items.join(' : '))
  const before = performance.now()
  const first = await context.ports.matchList<ListKind>(kind, list, subject(0), context)
  if (first.is === 'failure' || first.is === 'defer') throw new Error(first.message)
  const compiled = performance.now()
  let found = 0
  for (let i = 0; i < QUESTIONS; i++) {
    const result = context.ports.matchList<ListKind>(kind, list, subject(i * 7919), context)
    if (!(result instanceof Promise) && result.is === 'match') found++
  }
  const asked = performance.now()
  globalThis.gc?.()
  const kept = process.memoryUsage().heapUsed - heapBefore
  return [
    { name: `${what}: compile ${items.length} items`, value: compiled - before, unit: 'ms' },
    { name: `${what}: one question`, value: ((asked - compiled) * 1000) / QUESTIONS, unit: 'us' },
    // Without --expose-gc garbage is in it.
    ...(globalThis.gc === undefined
      ? []
      : [{ name: `${what}: memory kept`, value: kept / 2 ** 20, unit: 'MiB' }]),
    { name: `${what}: its text`, value: list.text.length / 2 ** 20, unit: 'MiB' },
    { name: `${what}: questions found`, value: found / QUESTIONS, unit: 'share' },
  ]
}
