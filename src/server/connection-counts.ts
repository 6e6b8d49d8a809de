/** How many connections there are, in all and from each host; of one process, or of all workers of a daemon. */
import type { Awaitable } from '../base/outcome.ts'

/** What holds with the connection that was just counted. */
export interface Counted {
  readonly total: number
  readonly fromHost: number
}

export interface Counts {
  add(host: string): Awaitable<Counted>
  /** A connection turns out to be another host's. */
  move(from: string, to: string): Awaitable<Counted>
  remove(host: string): void
}

export class ConnectionCounts implements Counts {
  #total = 0
  readonly #hosts = new Map<string, number>()

  get total(): number {
    return this.#total
  }

  from(host: string): number {
    return this.#hosts.get(host) ?? 0
  }

  add(host: string): Counted {
    this.#total++
    const fromHost = this.from(host) + 1
    this.#hosts.set(host, fromHost)
    return { total: this.#total, fromHost }
  }

  move(from: string, to: string): Counted {
    this.remove(from)
    return this.add(to)
  }

  remove(host: string): void {
    const left = this.from(host) - 1
    if (left < 0) return
    this.#total--
    if (left > 0) this.#hosts.set(host, left)
    else this.#hosts.delete(host)
  }

  /** Takes away all that another one holds: its process has ended. */
  subtract(other: ConnectionCounts): void {
    for (const [host, count] of other.#hosts) for (let i = 0; i < count; i++) this.remove(host)
  }
}
