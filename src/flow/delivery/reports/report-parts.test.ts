import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainError } from './report-parts.ts'

const long = 'x'.repeat(45)

// As in reports of Exim 4.96.
const cases: readonly {
  readonly says: string
  readonly message: string
  readonly lines: readonly string[]
}[] = [
  { says: 'a short error is one line', message: 'no such: user', lines: ['no such: user'] },
  {
    says: 'a colon behind 44 bytes breaks nothing',
    message: `${long.slice(1)}: y`,
    lines: [`${long.slice(1)}: y`],
  },
  { says: 'a colon behind 45 bytes ends the line', message: `${long}: y`, lines: [`${long}:`, 'y'] },
  {
    says: 'each line is counted anew',
    message: `a: b ${long}: c: d ${long}: e`,
    lines: [`a: b ${long}:`, `c: d ${long}:`, 'e'],
  },
  { says: 'lines of a reply stay lines', message: `a\nb: ${long}: c`, lines: ['a', `b: ${long}:`, 'c'] },
  {
    says: 'a colon without a space is part of a word',
    message: `${long}:y z: a`,
    lines: [`${long}:y z:`, 'a'],
  },
]
for (const { says, message, lines } of cases)
  test(`an error in a report: ${says}`, () => {
    assert.equal(explainError(message, undefined), lines.map((line) => `    ${line}\n`).join(''))
  })
