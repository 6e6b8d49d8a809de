import assert from 'node:assert/strict'
import { test } from 'node:test'
import { taint, type Text } from '../../../base/text.ts'
import { type ListItem, type ListRules, parseList } from './parse-list.ts'

const files: Readonly<Record<string, string>> = {
  '/lists/a': 'one@x.example, # a comment\n"Two" <two@x.example>\n',
  '/lists/nested': ':include:/lists/a, three',
  '/lists/closed': 'one@x.example, :fail: closed',
  '/lists/loop': 'x, :include:/lists/loop',
}

const rules: ListRules = {
  allowDefer: true,
  allowFail: true,
  forbidBlackhole: false,
  forbidInclude: false,
  includeDirectory: undefined,
  skipErrors: false,
  allowUtf8Domains: false,
  include(path) {
    const bytes = files[path]
    return bytes === undefined ? { error: 'No such file or directory', missing: true } : { bytes }
  },
}

async function summary(data: Text, changes: Partial<ListRules> = {}): Promise<string> {
  const list = await parseList(data, { ...rules, ...changes })
  const shown = (items: readonly ListItem[]): string[] =>
    items.map((item) =>
      item.is === 'special'
        ? `${item.kind} ${item.text}`
        : `${item.backslash ? '\\' : ''}${item.localPart}@${item.domain}`,
    )
  switch (list.is) {
    case 'items':
      return [...shown(list.items), ...list.errors.map(({ message }) => `! ${message}`)].join(' ; ')
    case 'blackhole':
      return 'blackhole'
    case 'fail':
      return [...shown(list.items), `fail ${list.text}`].join(' ; ')
    case 'defer':
      return `${list.is} ${list.text}`
    case 'error':
      return `error ${list.message}`
  }
}

const cases: readonly (readonly [data: string, result: string, changes?: Partial<ListRules>])[] = [
  ['a@b', 'a@b'],
  ['a@b, c@d', 'a@b ; c@d'],
  ['a@b\nc@d', 'a@b ; c@d'],
  [', ,\n a@b ,, ', 'a@b'],
  ['root', 'root@'],
  ['\\root', '\\root@'],
  ['\\root@a.b', '\\root@a.b'],
  ['"root@c.d"', 'root@c.d'],
  ['"a b"@c', '"a b"@c'],
  ['"\\"a b\\"@c"', 'error missing or malformed local part (expected word or "<") in "\\"a b\\"@c"'],
  ['":include:/lists/a"', 'one@x.example ; two@x.example'],
  ['Foo Bar <a@b>', 'a@b'],
  ['(nothing)', ''],
  ['# nothing', ''],
  ['a@b, # and more\nc@d', 'a@b ; c@d'],
  ['#c\n\n a@b', 'a@b'],
  ['', ''],
  ['""', ''],
  ['|/bin/x a b', 'pipe |/bin/x a b'],
  ['"|/bin/x a, b"', 'pipe |/bin/x a, b'],
  ['|"/bin/x a, b"', 'pipe |"/bin/x a, b"'],
  ['"|/bin/x \\"a\\""', 'pipe |/bin/x "a"'],
  ['|x@c.d', '|x@c.d'],
  ['/var/mail/x', 'file /var/mail/x'],
  ['/var/mail/x/', 'directory /var/mail/x/'],
  ['/a/b@c.d', '/a/b@c.d'],
  ['/dev/null', 'file /dev/null'],
  [':blackhole:', 'blackhole'],
  ['a@b, :blackhole:', 'blackhole'],
  [':blackhole:', 'error ":blackhole:" is not permitted', { forbidBlackhole: true }],
  [':fail: gone away, really\na@b', 'fail gone away, really\na@b'],
  ['a@b, :defer: later', 'defer later'],
  ['a@b, /var/mail/x, :fail: left\nc@d', 'a@b ; file /var/mail/x ; fail left\nc@d'],
  ['a@b, :include:/lists/closed, c@d', 'a@b ; fail closed'],
  [':fail:', 'fail '],
  [':fail: x, y', 'error ":fail: x" is not permitted', { allowFail: false }],
  [':defer:', 'error ":defer:" is not permitted', { allowDefer: false }],
  [':unknown:', ''],
  ['a@b, :unknown:', 'a@b'],
  [':unknown:, a@b', 'a@b'],
  [':unknown: x', 'error missing or malformed local part (expected word or "<") in ":unknown: x"'],
  [':FAIL: a', 'error missing or malformed local part (expected word or "<") in ":FAIL: a"'],
  [':include:/lists/a', 'one@x.example ; two@x.example'],
  [':include: /lists/a', 'one@x.example ; two@x.example'],
  ['zero, :include:/lists/nested, four', 'zero@ ; one@x.example ; two@x.example ; three@ ; four@'],
  [':include:/lists/loop', 'error included file /lists/loop: included files are nested too deeply'],
  [':include:rel', 'error included file "rel" is not an absolute path'],
  [':include:/none', 'error failed to open included file /none: No such file or directory'],
  [':include:/lists/a', 'error included files not permitted', { forbidInclude: true }],
  [
    ':include:/lists/a',
    'error included file /lists/a is not in directory /etc',
    { includeDirectory: '/etc' },
  ],
  [
    ':include:/etc/../lists/a',
    'error included file /etc/../lists/a is not in directory /etc',
    { includeDirectory: '/etc' },
  ],
  ['a@@b', 'error domain missing or malformed in "a@@b"'],
  ['<>', 'error missing or malformed local part in "<>"'],
  ['a@@b, c@d', 'c@d ; ! domain missing or malformed in "a@@b"', { skipErrors: true }],
]

for (const [data, result, changes] of cases) {
  test(`${JSON.stringify(data)}: ${result}`, async () => assert.equal(await summary(data, changes), result))
}

test('a path to include that came from outside is refused', async () => {
  assert.equal(
    await summary(taint(':include:/lists/a', '$local_part')),
    "error Tainted name '/lists/a' for file read not permitted",
  )
})

test('a file that came from outside is marked', async () => {
  const list = await parseList(taint('/var/mail/x', '$local_part'), rules)
  assert.equal(list.is === 'items' && list.items[0]?.is === 'special' && list.items[0].tainted, true)
})

test('huge lists are refused, not choked on', async () => {
  assert.match(await summary('a,'.repeat(200_000)), /^error too many items/)
})
