/** How many connections there are, in all and from each host. */

export class ConnectionCounts {
  #total = 0
  readonly #hosts = new Map<string, number>()

  get total(): number {
    return this.#total
  }

  from(host: string): number {
    return this.#hosts.get(host) ?? 0
  }

  add(host: string): void {
    this.#total++
    this.#hosts.set(host, this.from(host) + 1)
  }

  /** A connection turns out to be another host's. */
  move(from: string, to: string): void {
    this.remove(from)
    this.add(to)
  }

  remove(host: string): void {
    this.#total--
    const left = this.from(host) - 1
    if (left > 0) this.#hosts.set(host, left)
    else this.#hosts.delete(host)
  }
}
