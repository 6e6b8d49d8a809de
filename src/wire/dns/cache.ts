/** Answers kept for as long as they may be, at most so many of them. */
export interface Cache<T> {
  get(key: string): T | undefined
  put(key: string, value: T, ttlSeconds: number): void
  readonly size: number
}

/**
 * @param limit entries kept; the one not asked for the longest goes first
 * @param now milliseconds
 */
export function createCache<T>(limit: number, now: () => number): Cache<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>()
  return {
    get size() {
      return entries.size
    },
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      entries.delete(key)
      if (entry.until <= now()) return undefined
      // A Map remembers the order of insertion: putting it back makes it the youngest.
      entries.set(key, entry)
      return entry.value
    },
    put(key, value, ttlSeconds) {
      if (ttlSeconds <= 0) return
      entries.delete(key)
      entries.set(key, { value, until: now() + ttlSeconds * 1000 })
      if (entries.size > limit) {
        const oldest = entries.keys().next()
        if (oldest.done !== true) entries.delete(oldest.value)
      }
    },
  }
}
