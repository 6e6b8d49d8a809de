import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDebugSelector } from './debug-selector.ts'

const cases = [
  { says: 'nothing: the usual categories', text: '', on: ['acl', 'route'], off: ['expand', 'timestamp'] },
  { says: '+all: every one', text: '+all', on: ['acl', 'expand', 'timestamp'], off: [] },
  { says: '-all+route: this one alone', text: '-all+route', on: ['route'], off: ['acl', 'lists'] },
  {
    says: '+expand-lists: changes the usual ones',
    text: '+expand-lists',
    on: ['acl', 'expand'],
    off: ['lists'],
  },
]
for (const { says, text, on, off } of cases) {
  test(says, () => {
    const read = readDebugSelector(text)
    assert.equal(read.is, 'selection')
    if (read.is !== 'selection') return
    assert.deepEqual(
      [on.filter((name) => !read.on.has(name)), off.filter((name) => read.on.has(name))],
      [[], []],
    )
  })
}

// The sentences are those of Exim 4.96.
const wrong = [
  { text: 'foo', message: 'malformed debug_selector setting: + or - expected but found "foo"' },
  { text: '+foo', message: 'unknown debug_selector setting: +foo' },
  { text: '+', message: 'unknown debug_selector setting: +' },
  { text: '+acl/x', message: 'malformed debug_selector setting: + or - expected but found "/x"' },
]
for (const { text, message } of wrong) {
  test(`-d${text} is refused`, () => assert.deepEqual(readDebugSelector(text), { is: 'wrong', message }))
}
