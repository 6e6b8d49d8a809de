/**
 * Runs one target in a thread. The input at work stands in shared memory, so that the runner knows it when the
 * thread hangs or dies.
 */
import { existsSync, readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { createRandom } from './random.ts'
import type { FuzzBench } from './target.ts'
import { targets } from './targets/index.ts'
import { watch } from './stall-watch.ts'
import { foundFile, type FuzzEnd, type FuzzOrder, type Suspect } from './order.ts'

/** Inputs that are only there to have everything compiled. */
const warmUpRuns = 300
const mostSuspects = 8

// The runner is the only one who starts this file.
const order = workerData as FuzzOrder
const counter = new Int32Array(order.shared, 0, 2)
const bytes = new Uint8Array(order.shared, 8)
const suspects: Suspect[] = []
let runs = 0

const target = targets.find(({ name }) => name === order.target)
if (target === undefined) throw new Error(`no target "${order.target}"`)
const bench = await target.make()
const problem = await play(bench)
bench.close?.()
const end: FuzzEnd = { runs, suspects, ...problem }
parentPort?.postMessage(end)

async function play(made: FuzzBench): Promise<{ input: string; problem: string } | undefined> {
  const random = createRandom(order.seed)
  for (let i = 0; i < warmUpRuns; i++) {
    const input = made.generate(random)
    const wrong = await tryOne(made, input)
    if (wrong !== undefined) return { input, problem: wrong }
  }
  if (order.only !== undefined) suspects.length = 0
  for (const input of order.only ?? known()) {
    const wrong = await tryOne(made, input)
    if (wrong !== undefined) return { input, problem: wrong }
  }
  const until = performance.now() + order.seconds * 1000
  while (performance.now() < until) {
    const input = made.generate(random)
    const wrong = await tryOne(made, input)
    if (wrong !== undefined) return { input, problem: wrong }
    // What is ready elsewhere gets its turn: timers, other promises.
    if (runs % 64 === 0) await turn()
  }
  return undefined
}

/** What earlier runs found. */
function known(): string[] {
  const file = foundFile(order.target)
  if (!existsSync(file)) return []
  const rows = JSON.parse(readFileSync(file, 'utf8')) as readonly { readonly input: string }[]
  return rows.map(({ input }) => input)
}

async function tryOne(made: FuzzBench, input: string): Promise<string | undefined> {
  runs++
  show(input)
  watch.start()
  let result: unknown
  try {
    result = await made.run(input)
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  } finally {
    watch.stop()
  }
  if (watch.heldMs > order.limitMs) {
    suspects.push({ input, heldMs: watch.heldMs })
    suspects.sort((a, b) => b.heldMs - a.heldMs)
    suspects.length = Math.min(suspects.length, mostSuspects)
  }
  const text = typeof result === 'string' ? result : ''
  if (/\n\s+at \S+ \(|\b(?:TypeError|RangeError|ReferenceError):/.test(text) && !input.includes('Error:'))
    return `an internal error shows: ${text.slice(0, 500)}`
  return undefined
}

function show(input: string): void {
  const length = Math.min(input.length, bytes.length)
  for (let i = 0; i < length; i++) bytes[i] = input.charCodeAt(i)
  Atomics.store(counter, 1, length)
  Atomics.add(counter, 0, 1)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
