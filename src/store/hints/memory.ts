/** Hints that live as long as the process: for `-bh`, `-bt` beside a daemon, and tests. */
import type { Hints, HintsDatabase } from '../../ports.ts'

export function createMemoryHints(): Hints {
  const databases = new Map<HintsDatabase, Map<string, unknown>>()
  const of = (name: HintsDatabase): Map<string, unknown> => {
    let database = databases.get(name)
    if (database === undefined) databases.set(name, (database = new Map<string, unknown>()))
    return database
  }
  return {
    get: (database, key) => of(database).get(key),
    put: (database, key, value) => void of(database).set(key, value),
    remove: (database, key) => void of(database).delete(key),
    async update<T>(database: HintsDatabase, key: string, change: (old: T | undefined) => T | undefined) {
      // What was put under a key comes back under it: the databases and their values belong to one owner each.
      const value = change(of(database).get(key) as T | undefined)
      if (value === undefined) of(database).delete(key)
      else of(database).set(key, value)
      return value
    },
    *entries(database, range = {}) {
      for (const key of [...of(database).keys()].sort()) {
        if (range.start !== undefined && key < range.start) continue
        if (range.end !== undefined && key >= range.end) return
        yield { key, value: of(database).get(key) }
      }
    },
  }
}
