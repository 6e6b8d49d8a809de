/** Hints as they are, with changes that are never written: for a session that is only played. */
import type { Hints, HintsDatabase } from '../../ports.ts'

export function createDraftHints(kept: Hints): Hints {
  const changes = new Map<HintsDatabase, Map<string, unknown>>()
  const of = (name: HintsDatabase): Map<string, unknown> => {
    let database = changes.get(name)
    if (database === undefined) changes.set(name, (database = new Map<string, unknown>()))
    return database
  }
  const get: Hints['get'] = (database, key) => {
    const changed = of(database)
    return changed.has(key) ? changed.get(key) : kept.get(database, key)
  }
  return {
    get,
    put: (database, key, value) => void of(database).set(key, value),
    remove: (database, key) => void of(database).set(key, undefined),
    async update<T>(database: HintsDatabase, key: string, change: (old: T | undefined) => T | undefined) {
      // What was put under a key comes back under it: the databases and their values belong to one owner each.
      const value = change(get(database, key) as T | undefined)
      of(database).set(key, value)
      return value
    },
    *entries(database, range = {}) {
      const inRange = (key: string): boolean =>
        (range.start === undefined || key >= range.start) && (range.end === undefined || key < range.end)
      const found = new Map<string, unknown>()
      for (const { key, value } of kept.entries(database, range)) found.set(key, value)
      for (const [key, value] of of(database)) if (inRange(key)) found.set(key, value)
      for (const key of [...found.keys()].sort()) {
        const value = found.get(key)
        if (value !== undefined) yield { key, value }
      }
    },
  }
}
