/** One turn of the event loop: a walk through many statements, none of which waits, gives others theirs in between. */

/** Longest stretch of such work, in milliseconds; what one statement may need comes on top of it. */
const longestStretchMs = 15

export class Turn {
  #since = performance.now()

  overdue(): boolean {
    return performance.now() - this.#since > longestStretchMs
  }

  async end(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#since = performance.now()
  }
}
