/** Stops asking a server that failed several times in a row, for a moment. */

export interface Breaker {
  /** Why the server is not asked now; undefined: ask it. */
  refuses(): string | undefined
  succeeded(): void
  failed(message: string): void
}

export interface BreakerLimits {
  /** Failures in a row before the server is left alone. */
  readonly failures: number
  readonly restMs: number
}

export const usualLimits: BreakerLimits = { failures: 3, restMs: 5_000 }

/** After the rest one question is let through; what comes of it decides. */
export function createBreaker(now: () => number, limits: BreakerLimits = usualLimits): Breaker {
  let failures = 0
  let restUntil = 0
  let last = ''
  return {
    refuses() {
      if (failures < limits.failures) return undefined
      const at = now()
      if (at < restUntil) return `${last} (${failures} failures in a row, not asked again for a moment)`
      // Those who come while the trial is under way still wait.
      restUntil = at + limits.restMs
      return undefined
    },
    succeeded() {
      failures = 0
    },
    failed(message) {
      failures++
      last = message
      restUntil = now() + limits.restMs
    },
  }
}
