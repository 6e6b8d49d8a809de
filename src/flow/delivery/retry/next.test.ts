import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RetryInterval } from '../../../language/config/configuration.ts'
import { nextRetry } from './next.ts'
import type { RetryRecord } from './record.ts'

const usual: readonly RetryInterval[] = [
  { rule: 'F', cutoff: 7200, interval: 900 },
  { rule: 'G', cutoff: 57_600, interval: 3600, factor: 1.5 },
  { rule: 'F', cutoff: 345_600, interval: 21_600 },
]
const error = { errno: 111, more: 65, message: undefined }
const moment = { receivedAt: undefined, intervalMaxSeconds: 86_400, random: (limit: number) => limit - 1 }

function record(failingSeconds: number, gapSeconds: number, now: number): RetryRecord {
  const lastTriedAt = now - gapSeconds * 1000
  return {
    firstFailedAt: now - failingSeconds * 1000,
    lastTriedAt,
    nextTryAt: now,
    expired: false,
    errno: 111,
    more: 65,
    text: '',
  }
}

const now = 1_800_000_000_000
const cases: readonly {
  says: string
  rules?: readonly RetryInterval[]
  before?: RetryRecord
  receivedAt?: number
  gap: number
  expired?: boolean
}[] = [
  { says: 'the first failure waits the first interval', gap: 900 },
  { says: 'F keeps its interval', before: record(3600, 900, now), gap: 900 },
  { says: 'after its cutoff the next rule begins', before: record(7300, 900, now), gap: 3600 },
  { says: 'G grows by its factor', before: record(12_000, 3600, now), gap: 5400 },
  { says: 'G grows past the last gap', before: record(20_000, 5400, now), gap: 8100 },
  { says: 'then F again', before: record(60_000, 8100, now), gap: 21_600 },
  {
    says: 'past the last cutoff it has expired',
    before: record(345_700, 21_600, now),
    gap: 21_600,
    expired: true,
  },
  { says: 'a rule without intervals gives up at once', rules: [], gap: 0, expired: true },
  {
    says: 'retry_interval_max is the longest gap',
    rules: [{ rule: 'G', cutoff: 9e9, interval: 3600, factor: 10 }],
    before: record(500_000, 80_000, now),
    gap: 86_400,
  },
  {
    says: 'H takes a gap by chance, up to the last one times the factor',
    rules: [{ rule: 'H', cutoff: 9e9, interval: 600, factor: 2 }],
    before: record(5000, 1000, now),
    gap: 2000,
  },
  { says: 'an error of the message counts from its arrival', receivedAt: now - 8_000_000, gap: 3600 },
]
for (const c of cases) {
  void test(`retry: ${c.says}`, () => {
    const next = nextRetry(c.rules ?? usual, c.before, error, 'text', {
      ...moment,
      now,
      receivedAt: c.receivedAt,
    })
    assert.equal((next.nextTryAt - now) / 1000, c.gap)
    assert.equal(next.expired, c.expired ?? false)
    assert.equal(next.firstFailedAt, c.before?.firstFailedAt ?? now)
  })
}
