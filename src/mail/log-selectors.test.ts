import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logSelectors, readLogSelector } from './log-selectors.ts'

const defaults = Object.entries(logSelectors).flatMap(([name, row]) => (row.default ? [name] : []))
const cases = [
  { says: 'nothing given: the default set', text: '', on: defaults },
  { says: 'words are applied in order', text: '-all +subject +pid -pid', on: ['subject'] },
  { says: 'spaces may follow the sign', text: '-all + subject', on: ['subject'] },
  { says: '+all is every selector', text: '+all', on: Object.keys(logSelectors) },
  { says: 'unknown words are told', text: '-all +subjects tls', on: [], unknown: ['+subjects', 'tls'] },
]
for (const { says, text, on, unknown = [] } of cases) {
  test(`log_selector: ${says}`, () => {
    const read = readLogSelector(text)
    assert.deepEqual([...read.on].sort(), [...on].sort())
    assert.deepEqual(read.unknown, unknown)
  })
}
