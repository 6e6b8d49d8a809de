import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddressList } from './address.ts'

/** RFC 5322 section 3.4 and appendix A.1. */
const lists: readonly (readonly [string, readonly string[]])[] = [
  ['a@b', ['a@b']],
  ['a@b, c@d', ['a@b', 'c@d']],
  [
    'Joe Q. Public <john.q.public@example.com>, Mary Smith <mary@x.test>',
    ['john.q.public@example.com', 'mary@x.test'],
  ],
  ['"Giant; \\"Big\\" Box" <sysservices@example.net>', ['sysservices@example.net']],
  [
    'A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;',
    ['joe@where.test', 'joe@where.test', 'jdoe@one.test'],
  ],
  ['Undisclosed recipients:;', []],
  ['g:a@b;, c@d', ['a@b', 'c@d']],
  ['a@b (one, two), c@d', ['a@b', 'c@d']],
  [' , ,a@b,', ['a@b']],
]
for (const [text, gives] of lists) {
  test(`address list: ${text}`, () => {
    assert.deepEqual(
      parseAddressList(text).map((one) => ('error' in one ? `error ${one.error}` : one.address)),
      gives,
    )
  })
}

test('address list: what is none is named', () => {
  const [first, second] = parseAddressList('a b c, d@e')
  assert.ok(first !== undefined && 'error' in first && first.text === 'a b c')
  assert.deepEqual(second, { address: 'd@e' })
})
