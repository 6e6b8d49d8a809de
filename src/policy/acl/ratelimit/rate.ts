/** A rate that forgets: an exponentially weighted mean. Source: Exim manual, "Rate limiting incoming messages". */
import type { RateLimit } from './parse.ts'

export interface RateRecord {
  readonly rate: number
  /** Milliseconds of the last change. */
  readonly at: number
  /** Hashes of the events counted since `uniqueSince`. */
  readonly unique?: readonly number[]
  readonly uniqueSince?: number
}

export interface Measured {
  readonly rate: number
  /** What is stored from now on. */
  readonly keep: RateRecord | undefined
  readonly debug: readonly string[]
}

/** Events told apart for one key; beyond it every event counts as new, so the rate is never too low. */
const MOST_UNIQUE = 5000

/**
 * The rate after this event. Between events it falls by the factor e once a period; an event adds its count.
 * In leaky mode a rate that reaches the limit is not stored.
 */
export function measure(old: RateRecord | undefined, limit: RateLimit, now: number): Measured {
  const debug: string[] = []
  const events = uniqueEvents(old, limit, now, debug)
  const count = limit.readonly || events.known ? 0 : limit.count
  if (old === undefined) debug.push("ratelimit initializing new key's rate data")
  const rate = old === undefined ? count : decayed(old, count, limit, now)
  if (limit.readonly) {
    debug.push('ratelimit db not updated: readonly mode')
    return { rate, keep: old, debug }
  }
  if (!limit.strict && rate >= limit.most) {
    debug.push('ratelimit db not updated: over the limit, but leaky')
    return { rate, keep: old, debug }
  }
  debug.push('ratelimit db updated')
  const keep: RateRecord = { rate, at: now, ...events.keep }
  return { rate, keep, debug }
}

const leastMs = 0.001

function decayed(old: RateRecord, count: number, limit: RateLimit, now: number): number {
  // A clock that went back counts as no time; within one of its milliseconds something passed all the same.
  const periods = Math.max(leastMs, now - old.at) / 1000 / limit.periodSeconds
  const kept = Math.exp(-periods)
  // The share of the event: (1 - e^-x) / x, which is 1 for events at the same moment.
  const share = periods < 1e-9 ? 1 : -Math.expm1(-periods) / periods
  return share * count + kept * old.rate
}

interface Events {
  /** This event has been counted before. */
  readonly known: boolean
  readonly keep: Pick<RateRecord, 'unique' | 'uniqueSince'>
}

function uniqueEvents(old: RateRecord | undefined, limit: RateLimit, now: number, debug: string[]): Events {
  if (limit.unique === undefined) {
    debug.push(
      old === undefined ? 'ratelimit creating new rate data block' : 'ratelimit found key in database',
    )
    return { known: false, keep: {} }
  }
  const tooOld = now - (old?.uniqueSince ?? 0) > limit.periodSeconds * 1000
  const fresh = old?.unique === undefined || tooOld
  debug.push(fresh ? 'ratelimit creating new Bloom filter' : 'ratelimit found key in database')
  const before = fresh ? [] : (old.unique ?? [])
  const uniqueSince = fresh ? now : (old.uniqueSince ?? now)
  if (limit.readonly) return { known: false, keep: { unique: before, uniqueSince } }
  debug.push(`ratelimit checking uniqueness of ${limit.unique}`)
  const hash = hashOf(limit.unique)
  const known = before.includes(hash)
  debug.push(known ? 'ratelimit event found in Bloom filter' : 'ratelimit event added to Bloom filter')
  const unique = known || before.length >= MOST_UNIQUE ? before : [...before, hash]
  return { known, keep: { unique, uniqueSince } }
}

/** FNV-1a, 32 bits: enough to tell some thousand events apart. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
