import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitCommand } from './command-line.ts'

const cases: readonly { says: string; text: string; words: readonly string[] | string }[] = [
  { says: 'white space divides', text: ' /bin/a  b\tc ', words: ['/bin/a', 'b', 'c'] },
  { says: 'double quotes keep it, backslash escapes', text: '"a b\\n\\"c" d', words: ['a b\n"c', 'd'] },
  { says: 'single quotes escape nothing', text: "'a \\n' b", words: ['a \\n', 'b'] },
  { says: 'an empty argument stays', text: 'a "" b', words: ['a', '', 'b'] },
  { says: 'a quote that does not end', text: 'a "b', words: ['a', 'b'] },
  { says: 'nothing gives nothing', text: '  ', words: [] },
]
for (const c of cases) void test(`command: ${c.says}`, () => assert.deepEqual(splitCommand(c.text), c.words))
