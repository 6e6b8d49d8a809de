/** Microseconds since 1970 that never repeat within one process: file names in maildirs are made of them. */
export class UniqueClock {
  #last = 0

  next(nowMs: number): number {
    this.#last = Math.max(Math.floor(nowMs) * 1000, this.#last + 1)
    return this.#last
  }
}
