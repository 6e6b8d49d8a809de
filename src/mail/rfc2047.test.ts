import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeWords, encodeWords } from './rfc2047.ts'

/** RFC 2047 section 8 and what Exim 4.96 gives. */
const decoded: readonly (readonly [string, string])[] = [
  ['(=?ISO-8859-1?Q?a?=)', '(a)'],
  ['(=?ISO-8859-1?Q?a?= b)', '(a b)'],
  ['(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)', '(ab)'],
  ['(=?ISO-8859-1?Q?a_b?=)', '(a b)'],
  ['=?iso-8859-1?q?=e9?=', '\xc3\xa9'],
  ['=?utf-8?b?w6k=?=', '\xc3\xa9'],
  ['=?utf-8?q?bad=?=', '=?utf-8?q?bad=?='],
  ['=?utf-8*en?q?x?=', 'x'],
  ['=?utf-8?q?=00?=', '?'],
  [`=?utf-8?q?${'a'.repeat(70)}?=`, `=?utf-8?q?${'a'.repeat(70)}?=`],
]
for (const [text, gives] of decoded) {
  test(`rfc2047: ${text.slice(0, 50)}`, () => {
    assert.deepEqual(decodeWords(text, { charset: 'UTF-8', checkLength: true }), { text: gives })
  })
}

test('rfc2047: long words count when length is not checked', () => {
  const found = decodeWords(`=?utf-8?q?${'a'.repeat(70)}?=`, { charset: 'UTF-8', checkLength: false })
  assert.deepEqual(found, { text: 'a'.repeat(70) })
})

test('rfc2047: a character set that nobody knows', () => {
  const found = decodeWords('=?nosuch?q?=E9?=', { charset: 'UTF-8', checkLength: true })
  assert.ok('error' in found && found.error.startsWith('iconv_open("UTF-8", "nosuch") failed'))
})

test('rfc2047: words are at most 75 bytes and never split a character', () => {
  const coded = encodeWords('\xc3\xa9'.repeat(40), 'UTF-8')
  for (const word of coded.split('\n ')) {
    assert.ok(word.length <= 75)
    assert.match(word, /^=\?UTF-8\?Q\?(?:=C3=A9)+\?=$/)
  }
  assert.deepEqual(decodeWords(coded, { charset: 'UTF-8', checkLength: true }), {
    text: '\xc3\xa9'.repeat(40),
  })
})

test('rfc2047: plain text stays', () => assert.equal(encodeWords('plain text', 'UTF-8'), 'plain text'))
