import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endOfAddress, parseAddress } from './parse-address.ts'

/** Each observed with Exim 4.96 (`-bv`). */
const good: readonly (readonly [text: string, address: string])[] = [
  ['a@b', 'a@b'],
  ['a', 'a'],
  ['<a@b>', 'a@b'],
  ['Foo Bar <a@b>', 'a@b'],
  ['"Foo, Bar" <a@b> (c)', 'a@b'],
  ['(x)a(y)@(z)b', 'a@b'],
  ['a @ b', 'a@b'],
  ['a. b@c', 'a.b@c'],
  ['a..b@c', 'a..b@c'],
  ['.a@c', '.a@c'],
  ['a.@c', 'a.@c'],
  ['"a b"@c', '"a b"@c'],
  ['"a\\"b"@c', '"a\\"b"@c'],
  ['<@x,@y:a@b>', 'a@b'],
  ['@x:a@b', 'a@b'],
  ['a@[1.2.3.4]', 'a@[1.2.3.4]'],
  ['a@[IPv6:::1]', 'a@[IPv6:::1]'],
  ['a@b-', 'a@b-'],
  ['a/b@c', 'a/b@c'],
  ['a\\b@c', 'a\\b@c'],
  ['a\\@b@c', 'a\\@b@c'],
  ['a(b@c', 'a'],
  ['"a".b@c', '"a".b@c'],
  ['a."b c"@d', 'a."b c"@d'],
  ['\xe9@b', '\xe9@b'],
  ['a<b@c>', 'b@c'],
  ['x.y z <a@b>', 'a@b'],
  ['|cat', '|cat'],
  ['/file', '/file'],
  ['""@b', '""@b'],
  ['a@1.2.3.4', 'a@1.2.3.4'],
]

const expected = 'missing or malformed local part (expected word or "<")'
const bad: readonly (readonly [text: string, message: string])[] = [
  ['   ', 'empty address'],
  ['a@c.', 'domain missing or malformed'],
  ['a@.c', 'domain missing or malformed'],
  ['a@c..d', 'domain missing or malformed'],
  ['"a b@c', 'unmatched doublequote in local part'],
  ['<a@b', "'>' missing at end of address"],
  ['<a', '"@" or "." expected after "a"'],
  ['a@b>', 'malformed address: > may not follow a@b'],
  ['a@b c', 'malformed address: c may not follow a@b '],
  ['a b', expected],
  ['a b@c', expected],
  ['foo <a@b', "'>' missing at end of address"],
  ['foo <a@b> x', 'malformed address: x may not follow foo <a@b> '],
  ['<>', 'missing or malformed local part'],
  ['a@[x', 'malformed domain literal'],
  ['a@b_c', 'malformed address: _c may not follow a@b'],
  ['a@-b', 'domain missing or malformed'],
  ['a@@b', 'domain missing or malformed'],
  ['@', 'domain missing or malformed'],
  ['@b', 'no local part'],
  ['a:b@c', expected],
  ['g: a@b, c@d;', expected],
  ['a;b@c', 'malformed address: ;b@c may not follow a'],
  ['a)b@c', expected],
  ['a"b"c@d', expected],
  ['a@\xe9', 'domain missing or malformed'],
  ['<<a@b>>', 'missing or malformed local part'],
  ['x@y <a@b>', 'malformed address: <a@b> may not follow x@y '],
  [':fail: foo', expected],
]

for (const [text, address] of good) {
  test(`"${text}" is read as ${address}`, () => {
    const parsed = parseAddress(text)
    assert.equal(parsed.is === 'address' ? parsed.address : parsed.message, address)
  })
}

for (const [text, message] of bad) {
  test(`"${text}" is refused: ${message}`, () => {
    const parsed = parseAddress(text)
    assert.equal(parsed.is === 'error' ? parsed.message : parsed.address, message)
  })
}

test('the place of the working part is told', () => {
  const text = 'Ford <fp42@hitch.example> (he)'
  const parsed = parseAddress(text)
  assert.equal(parsed.is === 'address' ? text.slice(parsed.start, parsed.end) : '', 'fp42@hitch.example')
})

test('commas in quotes, comments and angle brackets do not end an address', () => {
  for (const text of ['"a,b" <c@d>, e', '(a,b) c, e', '<@x,@y:a@b>, e', 'a\\,b@c, e']) {
    assert.equal(text.slice(endOfAddress(text, 0, false)), ', e', text)
  }
})

test('an address cannot make the reader slow or deep', () => {
  for (const text of [
    '('.repeat(1e5),
    '"'.repeat(1e5),
    '@a,'.repeat(3e4),
    'a.'.repeat(5e4),
    '<'.repeat(1e5),
  ]) {
    assert.ok(parseAddress(text))
  }
})
