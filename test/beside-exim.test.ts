/**
 * Random inputs that Exim and Postern answer alike: what `npm run fuzz:exim` does for longer, with other seeds.
 * Without an Exim the tests skip and say so.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { noExim } from './fuzz/beside-exim/ask.ts'
import { beside, describeBeside } from './fuzz/beside-exim/beside.ts'
import { besideTargets } from './fuzz/beside-exim/index.ts'
import type { BesideTarget } from './fuzz/beside-exim/target.ts'

// A target without cases is for `npm run fuzz:exim` alone.
for (const target of besideTargets.filter(({ cases }) => cases > 0)) {
  test(`beside Exim: ${target.says}`, { skip: noExim }, async () => {
    const report = await beside(target, {
      seed: target.seed,
      cases: target.cases,
      seconds: 120,
      differences: 5,
    })
    assert.equal(report.differences.length, 0, describeBeside(report))
  })
}

/** What random inputs once showed: a row each, for the target of that name. */
const tables = { lists: 'test/testdata/lists.txt' }
for (const [name, file] of Object.entries(tables)) {
  test(`beside Exim: rows of ${file}`, { skip: noExim }, async () => {
    const target = besideTargets.find((one) => one.name === name)
    assert.ok(target)
    const rows = readFileSync(file, 'latin1').trimEnd().split('\n')
    const bench = await target.make()
    const [ours, exim] = await Promise.all([bench.ours(rows), bench.exim(rows)])
    bench.close?.()
    assert.deepEqual(
      rows.map((row, i) => `${row}: ${ours[i]}`),
      rows.map((row, i) => `${row}: ${exim[i]}`),
    )
  })
}

test('beside Exim: rows of test/testdata/headers.txt', { skip: noExim }, async (t) => {
  const target = besideTargets.find(({ name }) => name === 'headers')
  assert.ok(target)
  const bench = await target.make()
  const rows = readFileSync('test/testdata/headers.txt', 'latin1').split(/\n%%\n/)
  const [ours, exim] = await Promise.all([bench.ours(rows), bench.exim(rows)])
  bench.close?.()
  for (const [i, row] of rows.entries()) {
    await t.test(row, () => {
      // What is documented to differ is not what these rows are about.
      if (bench.meant(row, ours[i] ?? '', exim[i] ?? '') === undefined) assert.equal(ours[i], exim[i])
    })
  }
})

const upperOnlyHere: BesideTarget = {
  name: 'planted',
  says: 'a planted difference',
  seed: 1,
  cases: 200,
  make: () => ({
    batch: 50,
    generate: (random) => Array.from({ length: 20 }, () => random.pick(['a', 'b', ' ', 'X', '$'])).join(''),
    exim: (cases) => Promise.resolve(cases.map((text) => text)),
    ours: (cases) => Promise.resolve(cases.map((text) => text.toLowerCase())),
    meant: (input) => (input.includes('b') ? 'it is known' : undefined),
  }),
}

test('a difference is found and shrunk to what it takes; one that is meant is counted', async () => {
  const report = await beside(upperOnlyHere, { seed: 1, cases: 200, seconds: 60, differences: 3 })
  assert.deepEqual(report.differences, [{ input: 'X', ours: 'x', exim: 'X' }])
  assert.ok((report.meant.get('it is known') ?? 0) > 10)
})

test('names of targets are sorted and unique', () => {
  const names = besideTargets.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)].toSorted())
})
