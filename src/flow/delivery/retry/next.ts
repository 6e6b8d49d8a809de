/** When to try again: pure arithmetic. Source: Exim manual, "Retry configuration", "Retry parameters". */
import type { RetryInterval } from '../../../language/config/configuration.ts'
import type { DeliveryError } from '../results.ts'
import type { RetryRecord } from './record.ts'

export interface RetryMoment {
  readonly now: number
  /** Arrival of the message when the error is its own: a failure cannot have begun earlier, but counts from there. */
  readonly receivedAt: number | undefined
  /** `retry_interval_max`, in seconds. */
  readonly intervalMaxSeconds: number
  random(limit: number): number
}

/** The record to keep after another failure. A rule without intervals gives up at once. */
export function nextRetry(
  intervals: readonly RetryInterval[],
  before: RetryRecord | undefined,
  error: DeliveryError,
  text: string,
  moment: RetryMoment,
): RetryRecord {
  const { now } = moment
  const firstFailedAt = Math.min(before?.firstFailedAt ?? now, now)
  const countedFrom = Math.min(firstFailedAt, moment.receivedAt ?? firstFailedAt)
  const failingSeconds = (now - countedFrom) / 1000
  const current = intervals.find((interval) => failingSeconds < interval.cutoff)
  const used = current ?? intervals.at(-1)
  const gap = used === undefined ? 0 : gapSeconds(used, before, moment)
  return {
    firstFailedAt,
    lastTriedAt: now,
    nextTryAt: now + Math.min(gap, moment.intervalMaxSeconds) * 1000,
    expired: current === undefined,
    errno: error.errno,
    more: error.more,
    text,
  }
}

function gapSeconds(rule: RetryInterval, before: RetryRecord | undefined, moment: RetryMoment): number {
  if (rule.rule === 'F') return rule.interval
  const factor = rule.factor ?? 1
  const last = before === undefined ? 0 : (before.nextTryAt - before.lastTriedAt) / 1000
  if (rule.rule === 'G') {
    let gap = rule.interval
    // A factor of 1 or less never grows: the first interval stays.
    while (gap <= last && factor > 1 && gap < moment.intervalMaxSeconds) gap *= factor
    return Math.floor(gap)
  }
  // H: between the rule's interval and the last gap times the factor, by chance.
  const most = Math.max(rule.interval, Math.floor(last * factor))
  return rule.interval + moment.random(most - rule.interval + 1)
}
