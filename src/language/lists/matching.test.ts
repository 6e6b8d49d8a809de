import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { policyBench } from '../../../test/support/policy-world.ts'
import { Expandable } from '../../base/expandable.ts'
import { concat, isTainted, taint, type Text, textOf } from '../../base/text.ts'
import type { ListKind } from '../config/configuration.ts'
import { splitList } from './split.ts'

const { context } = policyBench({
  lists: [
    ['domain', 'local', 'a.example : b.example'],
    ['domain', 'counted', 'testdb;a'],
    ['address', 'bad', 'x@spam.example'],
  ],
})
const { ports } = context

const splits: readonly (readonly [list: string, items: readonly string[]])[] = [
  ['a:b', ['a', 'b']],
  ['a::b', ['a:b']],
  ['a:::b', ['a:', 'b']],
  ['a::::b', ['a::b']],
  [':', ['']],
  [': :', ['', '']],
  ['a:', ['a']],
  ['a: ', ['a']],
  ['a: :', ['a', '']],
  ['a::', ['a:']],
  [':a', ['', 'a']],
  ['::a', [':a']],
  [' :: a', [': a']],
  ['<\n a\n\nb', ['a', '', 'b']],
  ['<\n\n\na\n', ['', '', 'a']],
  ['<; a;b;;c', ['a', 'b;c']],
  ['< a', ['< a']],
  ['<;', []],
  ['<;;', ['']],
  ['<; ;', ['']],
  ['a : : b', ['a', '', 'b']],
  ['<\t a\tb', ['a', 'b']],
  ['<x axb', ['<x axb']],
  ['<; a : b', ['a : b']],
  ['a :: b', ['a :: b'.replace('::', ':')]],
  ['<\n  a  \n b b ', ['a', 'b b']],
  ['<,,a', ['', 'a']],
  [' <; a;b', ['a', 'b']],
  ['<; a;  ;', ['a', '']],
  ['', []],
  ['   ', []],
  ['127.0.0.1 : ::::1', ['127.0.0.1', '::1']],
  ['<| |', ['']],
  ['a:b:c:', ['a', 'b', 'c']],
]
for (const [list, items] of splits) {
  test(`Exim 4.96 splits ${JSON.stringify(list)} into ${items.length}`, () => {
    assert.deepEqual(splitList(list).map(textOf), items)
  })
}

test('the taint of each item stays with it', () => {
  const [a, b, c] = splitList(concat(['a : ', taint('b', '$local_part'), ' : c']))
  assert.equal(a, 'a')
  assert.ok(b !== undefined && isTainted(b))
  assert.equal(c, 'c')
})

const outside = (text: string): Text => taint(text, '$sender_address')
const tainted: readonly (readonly [says: string, list: Text, subject: string, is: string])[] = [
  ['a plain item from outside matches', outside('a.example'), 'a.example', 'match'],
  ['a wildcard from outside matches', outside('*.example'), 'a.example', 'match'],
  ['an exclamation mark from outside is no negation', outside('!b.example'), 'a.example', 'no'],
  ['a separator prefix from outside is not obeyed', outside('<; a ; a.example'), 'a.example', 'no'],
  [
    'a separator prefix of the configuration is',
    concat(['<\n ', outside('b\na.example')]),
    'a.example',
    'match',
  ],
  ['a named list from outside is not followed', outside('+local'), 'a.example', 'no'],
  ['a lookup from outside is not done', outside('lsearch;/etc/passwd'), 'root', 'no'],
  ['a file from outside is not read', outside('/etc/passwd'), 'root', 'no'],
  ['@ from outside is not this host', outside('@'), 'me.example', 'no'],
  [
    'a named list of the configuration is followed',
    concat(['+local : ', outside('x')]),
    'a.example',
    'match',
  ],
]
for (const [says, list, subject, is] of tainted) {
  test(`domain lists: ${says}`, async () => {
    assert.equal((await ports.matchListText('domain', list, subject, context)).is, is)
  })
}

test('a file name that holds outside data is refused', async () => {
  const list = concat(['lsearch;/etc/', outside('x')])
  const result = await ports.matchListText('domain', list, 'a', context)
  assert.equal(result.is, 'failure')
})

test('the data of a plain item is the item, trusted, whatever the subject is', async () => {
  const result = await ports.matchListText('domain', 'A.Example', outside('a.EXAMPLE'), context)
  assert.deepEqual(result, { is: 'match', data: 'A.Example' })
})

test('captures hold the taint of the subject', async () => {
  const captures: (Text | undefined)[] = []
  await ports.matchListText('domain', '*.example', outside('Mx.A.example'), { ...context, captures })
  assert.deepEqual(
    captures.map((part) => (part === undefined ? part : textOf(part))),
    ['mx.a.example', 'mx.a'],
  )
  assert.ok(captures.every((part) => part !== undefined && isTainted(part)))
})

const mxAnswers = {
  'any.example MX': {
    records: [
      { type: 'MX', name: 'any.example', ttl: 60, preference: 10, exchange: 'other.example' },
      { type: 'MX', name: 'any.example', ttl: 60, preference: 20, exchange: 'ours.example' },
    ],
  },
  'first.example MX': {
    records: [{ type: 'MX', name: 'first.example', ttl: 60, preference: 5, exchange: 'ours.example' }],
  },
  'late.example MX': { status: 'again' },
  'named.example MX': {
    records: [{ type: 'MX', name: 'named.example', ttl: 60, preference: 5, exchange: 'treated.example' }],
  },
} as const
const mxCases: readonly (readonly [list: string, subject: string, is: string])[] = [
  ['@mx_any', 'any.example', 'match'],
  ['@mx_primary', 'any.example', 'no'],
  ['@mx_secondary', 'any.example', 'match'],
  ['@mx_any', 'first.example', 'match'],
  ['@mx_primary', 'first.example', 'match'],
  ['@mx_secondary', 'first.example', 'no'],
  ['@mx_any', 'none.example', 'no'],
  ['@mx_any', 'late.example', 'defer'],
  ['@mx_any/ignore=127.0.0.1', 'first.example', 'no'],
  ['@mx_any/ignore=<;127.0.0.2;10.0.0.0/8', 'first.example', 'match'],
  ['@mx_any', 'named.example', 'match'],
  ['!@mx_any', 'first.example', 'no'],
]
for (const [list, subject, is] of mxCases) {
  test(`domain lists: ${subject} in ${list}`, async () => {
    const bench = policyBench({
      dns: mxAnswers,
      hosts: { 'ours.example': ['127.0.0.1'], 'other.example': ['192.0.2.7'] },
      settings: { hosts_treat_as_local: new Expandable('treated.example') },
    })
    const result = await bench.context.ports.matchListText('domain', list, subject, bench.context)
    assert.equal(result.is, is)
  })
}

test('a list without anything to wait for answers at once', () => {
  const list = new Expandable('!a : +local : *.x : ^q')
  for (const kind of ['domain', 'localpart'] as const) {
    if (kind === 'localpart') continue
    assert.ok(!(ports.matchList(kind, list, 'b.example', context) instanceof Promise))
  }
  assert.ok(
    !(ports.matchListText('host', '10.0.0.0/8 : !*', { address: '10.0.0.1' }, context) instanceof Promise),
  )
})

test('the result of a named list is kept for the address at hand', async () => {
  const bench = policyBench({ lists: [['domain', 'local', 'a.example']] })
  const list = new Expandable('+local')
  await bench.context.ports.matchList('domain', list, 'a.example', bench.context)
  await bench.context.ports.matchList('domain', list, 'a.example', bench.context)
  assert.deepEqual(bench.debug, [
    'a.example in "a.example"? yes (matched "a.example")',
    'a.example in "+local"? yes (matched "+local")',
    'a.example in "+local"? yes (matched "+local" - cached)',
  ])
})

test('G4 the list of an option takes its separator from what it expands to', async () => {
  const list = new Expandable('<\\n ${sg{10.0.0.1,10.1.0.0/16}{,}{\\n}}')
  const result = await ports.matchList('host', list, { address: '10.1.2.3' }, context)
  assert.equal(result.is, 'match')
})

test('G4 a doubled separator stands for itself', async () => {
  assert.equal((await ports.matchListText('domain', 'x::y : z', 'x:y', context)).is, 'match')
})

test('G5 a list is read from left to right, and the first item that matches decides', async () => {
  const is = async (list: string, subject: string): Promise<string> =>
    (await ports.matchListText('string', list, subject, context)).is
  assert.equal(await is('!fail : fail : pass', 'fail'), 'no')
  assert.equal(await is('pass : !fail', 'none'), 'match')
  assert.equal(await is('pass : !fail : neutral', 'none'), 'no')
  assert.equal(await is('!fail', 'pass'), 'match')
})

test('G6 what a lookup gives is read as a list', async () => {
  const list = new Expandable('${lookup passwd{root}{none : quarantine}{x}}')
  assert.equal((await ports.matchList('string', list, 'quarantine', context)).is, 'match')
})

/** The plain way: one item after the other. */
function scan(kind: ListKind, items: readonly string[], subject: string): Promise<boolean>[] {
  return items.map(async (item) => {
    const bare = item.startsWith('!') ? item.slice(1) : item
    const result = await (kind === 'host'
      ? ports.matchListText('host', bare, { address: subject }, context)
      : ports.matchListText(kind, bare, subject, context))
    return result.is === 'match'
  })
}

const word = fc.constantFrom('a', 'b', 'ab', 'ba', 'c')
const domainName = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.'))
const network = fc
  .tuple(
    fc.constantFrom(10, 11),
    fc.nat(3),
    fc.nat(3),
    fc.nat(3),
    fc.constantFrom('', '/8', '/22', '/30', '/32'),
  )
  .map(([a, b, c, d, mask]) => `${a}.${b}.${c}.${d}${mask}`)
const kinds: readonly (readonly [ListKind, fc.Arbitrary<string>, fc.Arbitrary<string>])[] = [
  [
    'domain',
    fc.tuple(fc.constantFrom('', '*', '*.', '^'), domainName).map((parts) => parts.join('')),
    domainName,
  ],
  ['localpart', fc.tuple(fc.constantFrom('', '*', '^'), word).map((parts) => parts.join('')), word],
  ['host', network, network.map((text) => text.replace(/\/.*/, ''))],
  [
    'address',
    fc
      .tuple(fc.constantFrom('', 'a@', '*@', '*b@', '^'), fc.constantFrom('', '*'), domainName)
      .map((p) => p.join('')),
    fc.tuple(word, domainName).map((parts) => parts.join('@')),
  ],
]
for (const [kind, item, subject] of kinds) {
  test(`${kind} lists: the index gives what a scan gives`, async () => {
    const signed = fc.tuple(fc.constantFrom('', '', '!'), item).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(fc.array(signed, { minLength: 1, maxLength: 12 }), subject, async (items, text) => {
        const hits = await Promise.all(scan(kind, items, text))
        const first = hits.indexOf(true)
        const decider = first < 0 ? undefined : items[first]
        const expected =
          decider === undefined ? items.at(-1)?.startsWith('!') === true : !decider.startsWith('!')
        const list = items.join(' : ')
        const result = await (kind === 'host'
          ? ports.matchListText('host', list, { address: text }, context)
          : ports.matchListText(kind, list, text, context))
        assert.equal(result.is === 'match', expected, `${text} in ${list}`)
      }),
      { numRuns: 300 },
    )
  })
}

test('random text is never more than a failure', async () => {
  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 40,
  })
  const signs = fc.constantFrom(
    '!',
    ':',
    '::',
    '<;',
    '^',
    '*',
    '@',
    '@@',
    '@[]',
    '+',
    '+caseful',
    'net24-',
    'lsearch',
    ';',
    '/',
    'partial2-',
    '(',
    '[',
    '10.0.0.0/8',
    'a@b',
  )
  const text = fc.array(fc.oneof(bytes, signs), { maxLength: 8 }).map((parts) => parts.join(''))
  await fc.assert(
    fc.asyncProperty(text, text, fc.boolean(), async (list, subject, dirty) => {
      // Files that may be there are none of this test's business.
      const harmless = list.replaceAll('/', '\\')
      const given = dirty ? taint(harmless, '$x') : harmless
      splitList(given)
      for (const kind of ['domain', 'localpart', 'address', 'string'] as const) {
        await ports.matchListText(kind, given, subject, context)
      }
      await ports.matchListText('host', given, { address: '10.0.0.1' }, context)
    }),
    { numRuns: 400 },
  )
})

test('a list of many items is compiled in turns with other work, once, and asked meanwhile', async () => {
  const { context } = policyBench()
  const items = Array.from({ length: 60_000 }, (_, i) => `d${i}.example`)
  const list = new Expandable(items.join(' : '))
  let turns = 0
  let counting = true
  const count = (): void => {
    turns++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  const answers = await Promise.all([
    context.ports.matchList('domain', list, 'd59999.example', context),
    context.ports.matchList('domain', list, 'other.example', context),
  ])
  counting = false
  assert.deepEqual(
    answers.map(({ is }) => is),
    ['match', 'no'],
  )
  assert.ok(turns >= 5, `${turns} turns`)
  const again = context.ports.matchList('domain', list, 'd5.example', context)
  assert.ok(!(again instanceof Promise), 'once it is compiled nobody waits')
})

test('a list of more than a megabyte may stand in the configuration', async () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `d${i}.example`)
  const list = new Expandable(names.join(' : '))
  assert.ok(list.text.length > 1 << 20)
  const isIn = async (domain: string): Promise<boolean> => {
    const result = await ports.matchList<'domain'>('domain', list, domain, context)
    assert.ok(result.is === 'match' || result.is === 'no', JSON.stringify(result))
    return result.is === 'match'
  }
  assert.equal(await isIn('d99999.example'), true)
  assert.equal(await isIn('d100000.example'), false)
})
