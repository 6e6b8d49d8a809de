/**
 * Time limits of many waiting connections with one timer: each waiter notes when it gives up, and one tick a
 * second looks at all of them. A connection that waits costs one entry of a set and no timer object.
 */

/** Someone who waits until `deadline` (milliseconds of the monotonic clock). */
export interface Waiter {
  deadline: number
  expire(why: 'timeout' | 'shutdown'): void
}

const tickMs = 500

export class IdleWatch {
  readonly #waiters = new Set<Waiter>()
  /** Signals whose one listener wakes all who wait: thousands of listeners on one signal would cost too much. */
  readonly #signals = new WeakSet<AbortSignal>()
  #timer: NodeJS.Timeout | undefined

  watch(waiter: Waiter, timeoutMs: number, shutdown?: AbortSignal): void {
    if (shutdown !== undefined && !this.#signals.has(shutdown)) {
      this.#signals.add(shutdown)
      shutdown.addEventListener('abort', () => this.#expireAll(), { once: true })
    }
    waiter.deadline = performance.now() + timeoutMs
    this.#waiters.add(waiter)
    this.#timer ??= setInterval(() => this.#tick(), tickMs)
  }

  release(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    if (this.#waiters.size === 0) this.#stop()
  }

  #expireAll(): void {
    for (const waiter of this.#waiters) waiter.expire('shutdown')
  }

  #tick(): void {
    const now = performance.now()
    for (const waiter of this.#waiters) {
      if (waiter.deadline > now) continue
      this.#waiters.delete(waiter)
      waiter.expire('timeout')
    }
    if (this.#waiters.size === 0) this.#stop()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
