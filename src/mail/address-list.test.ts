import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitAddressList } from './address-list.ts'

const cases: readonly (readonly [body: string, items: readonly string[]])[] = [
  [' a@b, c@d\n', ['a@b', 'c@d']],
  ['"x, y" <a@b>, c (d, e) <f@g>', ['"x, y" <a@b>', 'c (d, e) <f@g>']],
  ['grp: a@b, c;, d@e', ['a@b', 'c', 'd@e']],
  ['undisclosed-recipients:;', []],
  ['<@x,@y:a@b>, c', ['<@x,@y:a@b>', 'c']],
  [',, ,', []],
  ['"unclosed, a@b', ['"unclosed, a@b']],
]
for (const [body, items] of cases) {
  test(`addresses of "${body.trim()}"`, () => {
    const found = splitAddressList(body)
    assert.deepEqual(
      found.map((item) => item.text),
      items,
    )
    for (const item of found) assert.equal(body.slice(item.start, item.end), item.text)
  })
}
