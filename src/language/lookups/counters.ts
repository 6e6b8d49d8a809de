/** What became of lookups, by type, since the start: for metrics. */
import type { LookupResult } from '../../ports.ts'

export interface LookupCounts {
  /** Lookups that were asked of a file or server. */
  asked: number
  /** Answered from what was kept for the message. */
  fromCache: number
  found: number
  none: number
  deferred: number
  failed: number
  /** Under way. */
  waiting: number
  /** Time that those took which had to be waited for, together. */
  waitedMs: number
}

export interface LookupCounters {
  readonly byType: ReadonlyMap<string, LookupCounts>
  of(type: string): LookupCounts
}

export function createLookupCounters(): LookupCounters {
  const byType = new Map<string, LookupCounts>()
  return {
    byType,
    of(type) {
      let counts = byType.get(type)
      if (counts === undefined) {
        counts = {
          asked: 0,
          fromCache: 0,
          found: 0,
          none: 0,
          deferred: 0,
          failed: 0,
          waiting: 0,
          waitedMs: 0,
        }
        byType.set(type, counts)
      }
      return counts
    },
  }
}

export function count(counts: LookupCounts, result: LookupResult): void {
  switch (result.is) {
    case 'found':
      counts.found++
      return
    case 'none':
      counts.none++
      return
    case 'defer':
      counts.deferred++
      return
    case 'failure':
      counts.failed++
  }
}
