/**
 * How long a client may take as a whole: a command, from its first byte on, no longer than `smtp_receive_timeout`; a message
 * that long, and ten seconds more for each kilobyte that has come. Who sends a byte now and then does not stay for ever.
 * Differs from Exim, which waits anew for each piece.
 */

const msPerByte = 10

export class Pace {
  readonly #timeoutMs: number
  readonly #began = performance.now()
  #bytes = 0

  /** @param timeoutMs 0: no limit */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  took(bytes: number): void {
    this.#bytes += bytes
  }

  /** The longest wait for the next piece. */
  waitMs(): number {
    return restMs(this.#timeoutMs, this.#began, this.#bytes * msPerByte)
  }
}

/** What is left of a time that began then; never 0, which would be no limit. */
export function restMs(timeoutMs: number, began: number, moreMs: number = 0): number {
  if (timeoutMs <= 0) return timeoutMs
  return Math.max(1, Math.min(timeoutMs, Math.ceil(began + timeoutMs + moreMs - performance.now())))
}
