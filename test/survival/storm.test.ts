/** A storm in small: `npm run bench` has it with 100,000 messages to 1,000 domains. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { storm } from '../support/storm.ts'

test('2,000 messages to 100 domains, a tenth of them in trouble: none lost, none twice without reason, memory flat', {
  skip: existsSync('/proc/self/stat') ? false : 'needs /proc',
  timeout: 180_000,
}, async () => {
  const result = await storm({ messages: 2000, domains: 100, sources: 10, drainMs: 120_000 })
  assert.equal(result.acknowledged, 2000)
  assert.equal(result.lost, 0, JSON.stringify(result))
  assert.equal(result.doubledWithoutReason, 0, JSON.stringify(result))
  assert.equal(result.bounces, 0)
  // Later messages cost no more than the first ones: what grows is V8's young generation, up to its limit.
  const grownMib = (result.mostBytes - result.quarterBytes) / 2 ** 20
  assert.ok(result.quarterBytes > 0 && grownMib < 48, JSON.stringify(result))
})
