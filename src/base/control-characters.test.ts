import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerText, replaceControls } from './control-characters.ts'
import { concat, taint } from './text.ts'

const shown: readonly (readonly [says: string, text: string, expected: string])[] = [
  ['C0 and DEL are controls', 'a\0b\x1bc\x7fd\r\n', 'a?b?c?d??'],
  ['a tab is none', 'a\tb', 'a\tb'],
  ['single bytes of C1 are', 'a\x9bb\x85', 'a?b?'],
  ['C1 in UTF-8 is', 'a\xc2\x9bb', 'a??b'],
  [
    'a character of UTF-8 with such a byte stays',
    '\xc3\x84 \xe2\x82\xac \xf0\x9f\x98\x80',
    '\xc3\x84 \xe2\x82\xac \xf0\x9f\x98\x80',
  ],
  ['an unfinished character is bytes', '\xc3\x84\xe2\x82', '\xc3\x84\xe2?'],
]
for (const [says, text, expected] of shown)
  test(says, () =>
    assert.equal(
      replaceControls(text, () => '?'),
      expected,
    ),
  )

const outside = (text: string) => taint(text, '$h_subject:')
const headers: readonly (readonly [
  says: string,
  text: Parameters<typeof headerText>[0],
  expected: string,
])[] = [
  ['line ends of the configuration stay', 'A: 1\nB: 2\n', 'A: 1\nB: 2\n'],
  ['one from outside is folded', concat(['A: ', outside('1\nB: 2'), '\nC: 3']), 'A: 1\n B: 2\nC: 3'],
  ['CRLF and CR too', concat(['A: ', outside('1\r\nB: 2\rC: 3')]), 'A: 1\n B: 2\n C: 3'],
  ['folded lines stay as they are', concat(['A: ', outside('1\n\tB: 2')]), 'A: 1\n\tB: 2'],
  ['an empty line does not end the header section', concat(['A: ', outside('1\n\nB: 2')]), 'A: 1\n B: 2'],
  [
    'nor a line end before a word of the configuration',
    concat(['A: ', outside('1\n'), 'B: 2']),
    'A: 1\n B: 2',
  ],
  ['a line end at the very end stays', concat(['A: ', outside('1\n')]), 'A: 1\n'],
  ['controls are left out', concat(['A: ', outside('1\x1b[2J\0')]), 'A: 1[2J'],
]
for (const [says, text, expected] of headers)
  test(`header text: ${says}`, () => assert.equal(headerText(text), expected))
