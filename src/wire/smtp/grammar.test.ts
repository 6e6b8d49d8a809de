import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeXtext, parseBdat, recognise, splitParameters, validHelo } from './grammar.ts'

const forms = [{ verb: 'MAIL', colon: 'FROM:' }, { verb: 'RSET' }] as const

const lines: readonly (readonly [line: string, verb: string | undefined, argument: string])[] = [
  ['MAIL FROM:<a@b>', 'MAIL', '<a@b>'],
  ['mail from: <a@b> ', 'MAIL', '<a@b>'],
  ['MAIL FROM', undefined, ''],
  ['MAIL  FROM:<a@b>', undefined, ''],
  ['RSET', 'RSET', ''],
  ['Rset\tx', 'RSET', 'x'],
  ['RSETX', undefined, ''],
  [' RSET', undefined, ''],
  ['', undefined, ''],
]
for (const [line, verb, argument] of lines) {
  test(`"${line}" is ${verb ?? 'no command'}`, () => {
    const found = recognise(line, forms)
    assert.equal(found?.form.verb, verb)
    assert.equal(found?.argument ?? '', argument)
  })
}

test('parameters are taken off the end until something is none', () => {
  const known = { SIZE: 'value', BODY: 'value', SMTPUTF8: 'alone' } as const
  assert.deepEqual(splitParameters('<a@b> SIZE=1 smtputf8', known), {
    address: '<a@b>',
    parameters: [
      { name: 'SIZE', value: '1' },
      { name: 'SMTPUTF8', value: undefined },
    ],
  })
  assert.equal(splitParameters('<a@b> FOO=1 SIZE=1', known).address, '<a@b> FOO=1')
  assert.deepEqual(splitParameters('<a@b> SIZE BODY=', known).parameters, [
    { name: 'SIZE', value: undefined },
    { name: 'BODY', value: '' },
  ])
  assert.equal(splitParameters('<a@b> SMTPUTF8=1', known).address, '<a@b> SMTPUTF8=1')
  assert.equal(splitParameters('"SIZE=1 x"@b', known).address, '"SIZE=1 x"@b')
  assert.equal(splitParameters('<a@b> __PROTO__=1', known).address, '<a@b> __PROTO__=1')
})

test('xtext (RFC 3461 section 4)', () => {
  assert.equal(decodeXtext('a+20b+3D'), 'a b=')
  for (const bad of ['a+2', 'a+zz', 'a b', 'a=b', 'a\xff']) assert.equal(decodeXtext(bad), undefined, bad)
})

test('names in HELO', () => {
  for (const good of ['x', 'a.b', '-', '[1.2.3.4]', '[IPv6:::1]', '1.2.3.4'])
    assert.ok(validHelo(good, ''), good)
  for (const bad of ['', 'a b', 'a_b', '[1.2.3', '[1.2.3.400]', '[IPv6:1.2.3.4]', '[:]', '[x]', 'a$', 'a\tb'])
    assert.ok(!validHelo(bad, ''), bad)
  assert.ok(validHelo('a_b', '_'))
})

test('BDAT (RFC 3030 section 2)', () => {
  assert.deepEqual(parseBdat('5'), { is: 'chunk', size: 5, last: false })
  assert.deepEqual(parseBdat('0 last'), { is: 'chunk', size: 0, last: true })
  assert.deepEqual(parseBdat('5 FOO'), { is: 'not-last', size: 5 })
  for (const bad of ['', 'x', '-1', '99999999999'])
    assert.deepEqual(parseBdat(bad), { is: 'missing-size' }, bad)
})
