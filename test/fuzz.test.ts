/**
 * P7: hostile inputs end with a value or an error, soon. What `npm run fuzz` does for longer: each target for up to
 * 20 seconds, all of them within two minutes. `POSTERN_FUZZ_SECONDS` says otherwise.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe, fuzz } from './fuzz/fuzz.ts'
import { targets } from './fuzz/targets/index.ts'

const budgetSeconds = 120
/** Twice the promise: other tests share the processor, its caches and its clock. */
const limitMs = 100
const seconds = Number(
  process.env['POSTERN_FUZZ_SECONDS'] ?? Math.max(1, Math.min(20, budgetSeconds / targets.length)),
)

for (const target of targets) {
  test(`P7: fuzz: ${target.says}`, async () => {
    // Another seed each day; the message tells it.
    const report = await fuzz(target.name, seconds, Math.floor(Date.now() / 86_400_000), limitMs)
    assert.ok(report.problem === undefined, describe(report))
    assert.ok(report.runs > 10, describe(report))
  })
}

test('names of fuzz targets are sorted and unique', () => {
  const names = targets.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)].toSorted())
})
