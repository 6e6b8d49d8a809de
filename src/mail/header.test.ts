import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeHeader, withoutBlankEnd } from './header.ts'

/** Seen of Exim 4.96. */
const cases = [
  { says: 'a line of white space at the end goes', text: 'X: a\n b\n \n', kept: 'X: a\n b\n' },
  { says: 'several of them go', text: 'X: a\n \n\t\n', kept: 'X: a\n' },
  { says: 'one between others stays', text: 'X: a\n \n b\n', kept: 'X: a\n \n b\n' },
  { says: 'white space at the end of a line stays', text: 'X: a \n', kept: 'X: a \n' },
  { says: 'an empty header keeps its name', text: 'X:\n \n', kept: 'X:\n' },
]
for (const { says, text, kept } of cases)
  test(says, () => assert.equal(withoutBlankEnd(makeHeader(text)).text, kept))
