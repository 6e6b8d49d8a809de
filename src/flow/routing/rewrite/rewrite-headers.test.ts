import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodePhrase } from './encode-phrase.ts'

test('ASCII is left as it is', () =>
  assert.equal(encodePhrase('"Mr f" <f@ww.com>', 'UTF-8'), '"Mr f" <f@ww.com>'))

test('other bytes before the angle bracket become encoded words', () =>
  assert.equal(encodePhrase('J\xf6rg B <j@b.c>', 'ISO-8859-1'), '=?ISO-8859-1?Q?J=F6rg_B?= <j@b.c>'))

test('an encoded word has at most 75 characters: RFC 2047 section 2', () => {
  const words = encodePhrase(`${'\xe4'.repeat(60)} <a@b>`, 'UTF-8').split(/\s+/)
  assert.ok(words.length > 2 && words.every((word) => word.length <= 75))
})
