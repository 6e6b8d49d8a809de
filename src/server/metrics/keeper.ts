/**
 * Numbers of all workers of a daemon. A worker that is asked for `/metrics` asks the parent, who asks all of them: so
 * the parent, which may be root, speaks no HTTP. What a worker counted before it ended stays in the sums.
 */
import type { Channel } from '../privileged/messages.ts'
import { countersOf, isMetricValues, type MetricValues, sum } from './counters.ts'
import type { Told } from './exposition.ts'

/** From a worker. */
type FromWorker =
  | { readonly type: 'metrics'; readonly round: number; readonly values: readonly MetricValues[] }
  | { readonly type: 'metrics-ask'; readonly number: number }
/** To a worker. */
interface Wanted {
  readonly type: 'metrics-wanted'
  readonly round: number
}
interface Answer {
  readonly type: 'metrics-all'
  readonly number: number
  readonly told: readonly Told[]
}

/** A worker that is busy is told of with what it said last. */
const patienceMs = 1000

interface Member {
  readonly channel: Channel
  readonly worker: string
  round: number
  values: readonly MetricValues[]
}

/** The parent's side. */
export class MetricsKeeper {
  readonly #members = new Set<Member>()
  #gone: readonly MetricValues[] = []
  #round = 0
  #waiting: (() => void)[] = []

  attach(channel: Channel, worker: number): void {
    const member: Member = { channel, worker: String(worker), round: 0, values: [] }
    this.#members.add(member)
    channel.on('message', (raw) => {
      if (!isFromWorker(raw)) return
      if (raw.type === 'metrics-ask') return void this.#answer(channel, raw.number)
      member.values = raw.values
      if (raw.round > 0) member.round = raw.round
      if (this.#complete()) this.#done()
    })
    channel.on('disconnect', () => {
      this.#members.delete(member)
      this.#gone = sum([this.#gone, countersOf(member.values)])
      if (this.#complete()) this.#done()
    })
  }

  async #answer(channel: Channel, number: number): Promise<void> {
    await this.#ask()
    const newest = new Map([...this.#members].map((member) => [member.worker, member]))
    // One that another has taken the place of counts in the sums alone.
    const told: Told[] = [...this.#members].map((member) => ({
      worker: newest.get(member.worker) === member ? member.worker : undefined,
      values: member.values,
    }))
    const answer: Answer = {
      type: 'metrics-all',
      number,
      told: [...told, { worker: undefined, values: this.#gone }],
    }
    channel.send(answer)
  }

  /** Those who ask while a round is under way share it. */
  #ask(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length > 1) return
      const wanted: Wanted = { type: 'metrics-wanted', round: ++this.#round }
      for (const { channel } of this.#members) channel.send(wanted)
      const { round } = wanted
      setTimeout(() => {
        if (round === this.#round) this.#done()
      }, patienceMs).unref()
    })
  }

  #complete(): boolean {
    return [...this.#members].every(({ round }) => round >= this.#round)
  }

  #done(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

function isFromWorker(raw: unknown): raw is FromWorker {
  if (typeof raw !== 'object' || raw === null || !('type' in raw)) return false
  if (raw.type === 'metrics-ask') return 'number' in raw && typeof raw.number === 'number'
  return (
    raw.type === 'metrics' &&
    'round' in raw &&
    typeof raw.round === 'number' &&
    'values' in raw &&
    isMetricValues(raw.values)
  )
}

/** Where the numbers of all processes come from, for one of them. */
export interface AllMetrics {
  ask(): Promise<readonly Told[]>
  /** Tells what this process has counted, before it ends. */
  leave(): Promise<void>
  close(): void
}

/** So often a worker says what it has, for the case that it ends at once. */
const toldEveryMs = 10_000
const answerMs = 3000

/** The worker's side. */
export function askParent(channel: Channel, own: () => Promise<readonly MetricValues[]>): AllMetrics {
  const waiting = new Map<number, (told: readonly Told[]) => void>()
  let next = 0
  let closed = false
  const tell = async (round: number): Promise<void> => {
    const values = await own()
    if (!closed) channel.send({ type: 'metrics', round, values } satisfies FromWorker)
  }
  const timer = setInterval(() => void tell(0), toldEveryMs)
  timer.unref()
  channel.on('message', (raw) => {
    if (typeof raw !== 'object' || raw === null || !('type' in raw) || closed) return
    if (raw.type === 'metrics-wanted') void tell((raw as Wanted).round)
    if (raw.type !== 'metrics-all') return
    const { number, told } = raw as Answer
    waiting.get(number)?.(told)
    waiting.delete(number)
  })
  return {
    ask() {
      const number = next++
      return new Promise((resolve) => {
        const late = setTimeout(() => {
          waiting.delete(number)
          void own().then((values) => resolve([{ worker: '0', values }]))
        }, answerMs)
        waiting.set(number, (told) => {
          clearTimeout(late)
          resolve(told)
        })
        channel.send({ type: 'metrics-ask', number } satisfies FromWorker)
      })
    },
    leave: () => tell(0),
    close() {
      closed = true
      clearInterval(timer)
    },
  }
}
