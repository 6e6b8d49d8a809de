/** Work over large headers is done in slices, between which other sessions are served. */

/** More bytes of headers than this are worth a pause after each signature. */
const largeBytes = 32_768
/** With small headers a pause after so many signatures is enough. */
const between = 8

export class Breather {
  readonly #every: number
  #done = 0

  /** @param headerBytes what each step may have to go through */
  constructor(headerBytes: number) {
    this.#every = headerBytes > largeBytes ? 1 : between
  }

  /** To be awaited after each step. */
  async step(): Promise<void> {
    this.#done++
    if (this.#done % this.#every === 0) await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
