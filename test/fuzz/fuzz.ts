/** Runs fuzz targets, each in a thread that can be ended when it hangs. */
import { Worker } from 'node:worker_threads'
import { heldTooLongMs, type FuzzEnd, type FuzzOrder } from './order.ts'
// Sets V8's flags, which count for all threads, before the first of them runs.
import '../../src/base/regex.ts'

/** An input at work for so long hangs. */
const hangsAfterMs = 20_000
const sharedBytes = 64 * 1024
/** So many fresh threads must be held by an input before it is blamed: others share this machine. */
const confirmations = 3

export interface FuzzReport {
  readonly target: string
  readonly seed: number
  readonly runs: number
  readonly input?: string
  readonly problem?: string
}

/** Runs a target for so many seconds; an input that seemed to hold the event loop is tried again, alone. */
export async function fuzz(
  target: string,
  seconds: number,
  seed: number,
  limitMs: number = heldTooLongMs,
): Promise<FuzzReport> {
  const end = await inThread({ target, seed, seconds, limitMs })
  const head = { target, seed, runs: end.runs }
  if (end.problem !== undefined) return { ...head, input: end.input ?? '', problem: end.problem }
  for (const { input } of end.suspects) {
    const heldMs = await confirm(target, input, limitMs)
    if (heldMs !== undefined)
      return {
        ...head,
        input,
        problem: `the event loop was held for ${heldMs.toFixed(0)} ms of processor time`,
      }
  }
  return head
}

/** The least time that the input held a fresh thread; undefined: it did not, every time. */
async function confirm(target: string, input: string, limitMs: number): Promise<number | undefined> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < confirmations; i++) {
    const end = await inThread({ target, seed: 1, seconds: 0, limitMs, only: [input] })
    if (end.problem !== undefined) return hangsAfterMs
    const again = end.suspects.find((suspect) => suspect.input === input)
    if (again === undefined) return undefined
    least = Math.min(least, again.heldMs)
  }
  return least
}

function inThread(order: Omit<FuzzOrder, 'shared'>): Promise<FuzzEnd> {
  const shared = new SharedArrayBuffer(8 + sharedBytes)
  const counter = new Int32Array(shared, 0, 2)
  const worker = new Worker(new URL('worker.js', import.meta.url), {
    workerData: { ...order, shared } satisfies FuzzOrder,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  })
  const input = (): string => Buffer.from(shared, 8, Atomics.load(counter, 1)).toString('latin1')
  return new Promise((resolve) => {
    let last = -1
    const finish = (end: FuzzEnd): void => {
      clearInterval(timer)
      void worker.terminate()
      resolve(end)
    }
    const broken = (problem: string): void =>
      finish({ runs: Atomics.load(counter, 0), input: input(), problem, suspects: [] })
    const timer = setInterval(() => {
      const now = Atomics.load(counter, 0)
      if (now === last) broken(`nothing came of it within ${hangsAfterMs / 1000} seconds`)
      last = now
    }, hangsAfterMs)
    worker.once('message', (end: FuzzEnd) => finish(end))
    worker.once('error', (error) =>
      broken(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    )
    worker.once('exit', (code) => broken(`the thread ended with code ${code}`))
  })
}

/** One line, or what is needed to make a row of a found case. */
export function describe(report: FuzzReport): string {
  const { target, seed, runs, problem, input } = report
  const head = `${target}: ${runs} inputs, seed ${seed}`
  if (problem === undefined) return head
  return `${head}\n  ${problem}\n  input: ${JSON.stringify(input)}\n  (keep it in test/fuzz/found/${target}.json)`
}
