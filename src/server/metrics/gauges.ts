/** What is measured when somebody asks: memory, the event loop, lookups, the queue. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { LookupCounts } from '../../language/lookups/counters.ts'
import type { Spool } from '../../store/spool/api.ts'
import { queueStates, type QueueState, stateOf } from '../../store/spool/queue-state.ts'
import type { Counters } from './counters.ts'

const windowMs = 15_000
const quantiles = [50, 90, 99, 100] as const

/** Watches the event loop; every 15 seconds the figures of the last 15 become the ones told. */
export class LoopWatch {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 })
  readonly #timer: NodeJS.Timeout
  #told: readonly number[] | undefined

  constructor() {
    this.#histogram.enable()
    this.#timer = setInterval(() => {
      this.#told = this.#now()
      this.#histogram.reset()
    }, windowMs)
    this.#timer.unref()
  }

  tell(counters: Counters): void {
    const told = this.#told ?? this.#now()
    quantiles.forEach((quantile, i) => {
      counters.set('event_loop_delay_seconds', told[i] ?? 0, String(quantile))
    })
  }

  close(): void {
    clearInterval(this.#timer)
    this.#histogram.disable()
  }

  #now(): number[] {
    // The histogram of an event loop that has not turned yet has no numbers.
    return quantiles.map((quantile) =>
      this.#histogram.count === 0 ? 0 : this.#histogram.percentile(quantile) / 1e9,
    )
  }
}

export function tellProcess(counters: Counters): void {
  const memory = process.memoryUsage()
  counters.set('memory_bytes', memory.rss, 'resident')
  counters.set('memory_bytes', memory.heapUsed, 'heap')
  counters.set('memory_bytes', memory.external, 'external')
  const used = process.cpuUsage()
  counters.set('cpu_seconds_total', used.user / 1e6, 'user')
  counters.set('cpu_seconds_total', used.system / 1e6, 'system')
  counters.set('start_time_seconds', Math.round(performance.timeOrigin / 1000))
}

export function tellLookups(counters: Counters, byType: ReadonlyMap<string, LookupCounts>): void {
  for (const [type, counts] of byType) {
    counters.set('lookups_total', counts.found, type, 'found')
    counters.set('lookups_total', counts.none, type, 'none')
    counters.set('lookups_total', counts.deferred, type, 'deferred')
    counters.set('lookups_total', counts.failed, type, 'failed')
    counters.set('lookups_total', counts.fromCache, type, 'cached')
    counters.set('lookup_seconds_total', counts.waitedMs / 1000, type)
    counters.set('lookups_waiting', counts.waiting, type)
  }
}

/** Ages a message has reached at most, in seconds; older ones are in the last. */
export const ages: readonly (readonly [name: string, seconds: number])[] = [
  ['5m', 300],
  ['1h', 3600],
  ['6h', 21_600],
  ['1d', 86_400],
  ['3d', 259_200],
  ['older', Number.POSITIVE_INFINITY],
]

export function ageOf(seconds: number): string {
  return ages.find(([, most]) => seconds <= most)?.[0] ?? 'older'
}

/** Messages looked at in one turn of the event loop. */
const entriesAtOnce = 500
/** A long queue is counted at most so often. */
const queueKeptMs = 10_000

/** Counts the queue, the same figures for all who ask within ten seconds. */
export class QueueCount {
  #at = Number.NEGATIVE_INFINITY
  #counting: Promise<void> | undefined

  async tell(counters: Counters, spool: Spool, now: number): Promise<void> {
    if (this.#counting === undefined && now - this.#at < queueKeptMs) return
    this.#counting ??= count(counters, spool, now).finally(() => {
      this.#at = now
      this.#counting = undefined
    })
    await this.#counting
  }
}

async function count(counters: Counters, spool: Spool, now: number): Promise<void> {
  const found = new Map<string, number>()
  const oldest = new Map<QueueState, number>()
  let looked = 0
  for (const entry of spool.list({ order: 'none' })) {
    if (++looked % entriesAtOnce === 0) await new Promise((resolve) => setImmediate(resolve))
    const seconds = Math.max(0, (now - entry.receivedAt) / 1000)
    const state = stateOf(entry)
    const key = `${state} ${ageOf(seconds)}`
    found.set(key, (found.get(key) ?? 0) + 1)
    if (seconds > (oldest.get(state) ?? 0)) oldest.set(state, seconds)
  }
  for (const state of queueStates) {
    for (const [age] of ages) counters.set('queue_messages', found.get(`${state} ${age}`) ?? 0, state, age)
    counters.set('queue_oldest_seconds', Math.round(oldest.get(state) ?? 0), state)
  }
}
