import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frozenFate } from './frozen.ts'

const minute = 60_000
const none = { auto_thaw: 0, ignore_bounce_errors_after: 600 * 60, timeout_frozen_after: 0 }

// Minutes since it came, and since it was frozen. Source: Exim manual, "timeout_frozen_after", "ignore_bounce_errors_after", "auto_thaw".
const cases: readonly {
  readonly says: string
  readonly age: number
  readonly frozen?: number
  readonly sender?: string
  readonly settings?: Partial<typeof none>
  readonly fate: ReturnType<typeof frozenFate>
}[] = [
  { says: 'by itself it stays', age: 900, fate: 'stays' },
  {
    says: 'its time on the queue ends it, however short it is frozen',
    age: 61,
    frozen: 1,
    settings: { timeout_frozen_after: 3600 },
    fate: 'ends',
  },
  { says: 'not before', age: 59, frozen: 59, settings: { timeout_frozen_after: 3600 }, fate: 'stays' },
  { says: 'a bounce is tried once more', age: 601, frozen: 1, sender: '', fate: 'retried' },
  { says: 'not before', age: 599, frozen: 599, sender: '', fate: 'stays' },
  {
    says: 'how long it is frozen thaws it',
    age: 90,
    frozen: 31,
    settings: { auto_thaw: 1800 },
    fate: 'thaws',
  },
  { says: 'not before', age: 90, frozen: 29, settings: { auto_thaw: 1800 }, fate: 'stays' },
]
for (const { says, age, frozen = age, sender = 'a@x.example', settings = {}, fate } of cases)
  test(`a frozen message: ${says} (${age} minutes)`, () => {
    const now = 1000 * minute
    const message = { receivedAt: now - age * minute, frozenAt: now - frozen * minute, sender }
    assert.equal(frozenFate(message, { ...none, ...settings }, now), fate)
  })
