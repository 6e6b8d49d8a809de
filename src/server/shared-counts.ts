/**
 * Connections of all workers of a daemon, counted by its parent: `smtp_accept_max` and its kin hold for the daemon, not
 * for each worker. The limits themselves are applied where the configuration is, in the worker.
 */
import { ConnectionCounts, type Counted, type Counts } from './connection-counts.ts'
import type { Channel } from './privileged/messages.ts'

/** From a worker; `number` asks for an answer. */
interface CountChange {
  readonly type: 'count'
  readonly change: 'add' | 'remove'
  readonly host: string
  readonly number?: number
}
/** To a worker. */
interface CountAnswer extends Counted {
  readonly type: 'counted'
  readonly number: number
}

/** An address, a name of an interface behind it at most. */
const longestHost = 100

/** The worker's side. */
export function sharedCounts(channel: Channel): Counts {
  /** What this worker has: all there is to go by when the parent is gone. */
  const own = new ConnectionCounts()
  const waiting = new Map<number, (counted: Counted) => void>()
  let next = 0
  channel.on('message', (raw) => {
    if (!isAnswer(raw)) return
    waiting.get(raw.number)?.({ total: raw.total, fromHost: raw.fromHost })
    waiting.delete(raw.number)
  })
  const tell = (change: CountChange): boolean => channel.send(change)
  return {
    add(host) {
      const counted = own.add(host)
      const number = next++
      return new Promise((resolve) => {
        waiting.set(number, resolve)
        if (tell({ type: 'count', change: 'add', host, number })) return
        waiting.delete(number)
        resolve(counted)
      })
    },
    move(from, to) {
      this.remove(from)
      return this.add(to)
    },
    remove(host) {
      own.remove(host)
      tell({ type: 'count', change: 'remove', host })
    },
  }
}

/** The parent's side. */
export class CountKeeper {
  readonly #all = new ConnectionCounts()

  /** Counts for a worker until its channel ends; then its connections are gone, too. */
  attach(channel: Channel): void {
    const own = new ConnectionCounts()
    channel.on('message', (raw) => {
      if (!isChange(raw)) return
      if (raw.change === 'remove') {
        if (own.from(raw.host) === 0) return
        own.remove(raw.host)
        this.#all.remove(raw.host)
        return
      }
      own.add(raw.host)
      const counted = this.#all.add(raw.host)
      const answer: CountAnswer = { type: 'counted', number: raw.number ?? 0, ...counted }
      channel.send(answer)
    })
    channel.on('disconnect', () => this.#all.subtract(own))
  }
}

/** The worker reads the network: what it says is looked at before it is believed. */
function isChange(raw: unknown): raw is CountChange {
  if (typeof raw !== 'object' || raw === null || !('type' in raw) || raw.type !== 'count') return false
  if (!('change' in raw) || !('host' in raw) || typeof raw.host !== 'string') return false
  return (raw.change === 'add' || raw.change === 'remove') && raw.host.length <= longestHost
}

function isAnswer(raw: unknown): raw is CountAnswer {
  return typeof raw === 'object' && raw !== null && 'type' in raw && raw.type === 'counted' && 'number' in raw
}
