import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Expandable } from '../../base/expandable.ts'
import { isFailure } from '../../base/outcome.ts'
import { isTainted, taint, textOf, unquotedTaint } from '../../base/text.ts'
import {
  connectionFacts,
  expansionBench,
  messageFacts,
  type BenchOptions,
} from '../../../test/support/expansion-context.ts'
import { createExpander, expansionNames } from './index.ts'
import { conditions } from './conditions/index.ts'
import { items } from './items/index.ts'
import { operators } from './operators/index.ts'
import { variables } from './variables/index.ts'

const options: BenchOptions = {
  context: {
    address: { localPart: "o'brien", domain: 'Example.ORG' },
    message: messageFacts(
      [
        'Subject: =?iso-8859-1?q?caf=E9?=\n',
        'To: a@b\n',
        'To: c@d\n',
        'X-Path: /etc/passwd\n',
        'X-Two:  folded\n line\n',
        'X-Text: ${lc:X}\n',
      ],
      'first\nsecond\n',
    ),
  },
}

async function expand(text: string, more: BenchOptions = options): Promise<string> {
  const { expander, context } = expansionBench(more)
  const value = await expander.expandText(text, context)
  return isFailure(value) ? `${value.kind}: ${value.message}` : textOf(value)
}

const rows: readonly { says: string; text: string; gives: string | RegExp }[] = [
  { says: 'a variable', text: '[$local_part]', gives: "[o'brien]" },
  { says: 'a header, decoded to UTF-8', text: '$h_subject:', gives: 'caf\xc3\xa9' },
  { says: 'a header as it came', text: '$rh_subject:', gives: ' =?iso-8859-1?q?caf=E9?=\n' },
  { says: 'a header decoded, its character set kept', text: '$bh_subject:', gives: 'caf\xe9' },
  { says: 'headers with addresses are joined with commas', text: '$h_to:', gives: 'a@b,\nc@d' },
  { says: 'headers as a list', text: '$lh_to:', gives: ' a@b: c@d' },
  { says: 'a folded header keeps its inner line end', text: '$h_x-two:', gives: 'folded\n line' },
  { says: 'a header that is not there', text: '[$h_nothing:]', gives: '[]' },
  { says: 'def of a header', text: '${if def:h_to:{y}{n}}${if def:h_cc:{y}{n}}', gives: 'yn' },
  { says: 'the body on one line', text: '$message_body', gives: 'first second ' },
  { says: 'recipients', text: '$recipients', gives: 'one@example.com, two@example.org' },
  {
    says: 'parts of the sender',
    text: '$sender_address_local_part $sender_address_domain',
    gives: 'sender example.net',
  },
  { says: 'older names', text: '$tpda_delivery_domain', gives: 'Example.ORG' },
  {
    says: 'a forced failure',
    text: '${if eq{a}{b}{x}fail}',
    gives: 'forced: "if" failed and "fail" requested',
  },
  {
    says: 'a name from outside is no file',
    text: '${readfile{$h_x-path:}}',
    gives: /^failure: Tainted name '\/etc\/passwd' for file read not permitted/,
  },
  {
    says: 'a name from outside is no lookup file',
    text: '${lookup{a}lsearch{$h_x-path:}}',
    gives: /^failure: Tainted filename for search: '\/etc\/passwd'/,
  },
  {
    says: 'a name from outside is no command',
    text: '${run{$h_x-path:}}',
    gives: /^failure: Attempt to exec tainted path: '\/etc\/passwd'/,
  },
  {
    says: 'a command expanded first may hold nothing from outside',
    text: '${run,preexpand{/bin/echo $local_part}}',
    gives: /^failure: Attempt to exec tainted path/,
  },
  {
    says: 'text from outside is not expanded',
    text: '${expand:$h_x-text:}',
    gives: /^failure: attempt to expand tainted string '\$\{lc:X\}'/,
  },
  {
    says: 'text from outside stands in a replacement as it is',
    text: '${sg{abc}{b}{<\\$0 $h_x-text:>}}',
    gives: 'a<b ${lc:X}>c',
  },
  {
    says: 'text from outside is no ACL',
    text: '${acl{$local_part}}',
    gives: /^failure: Tainted name 'o'brien' for ACL/,
  },
  {
    says: 'help names the replacement',
    text: '${readfile{/home/$local_part}}',
    gives: /use \$local_part_data/,
  },
  {
    says: 'an argument of a command may come from outside',
    text: '${run{/bin/echo $local_part}}',
    gives: "o'brien\n",
  },
  {
    says: 'a lookup that does not work yet',
    text: '${lookup whoson{x}}',
    gives: /^failure: lookup type "whoson" is not available/,
  },
  {
    says: 'an item that does not work',
    text: '${dlfunc{x}{y}}',
    gives: /^failure: \$\{dlfunc is refused: C functions cannot be loaded; write/,
  },
  {
    says: 'a lookup that defers',
    text: '${lookup testdb{defer}}',
    gives: 'defer: lookup of "defer" gave DEFER: testdb lookup forced DEFER',
  },
  { says: 'a lookup that fails', text: '${lookup testdb{fail}{y}{n}}', gives: 'n' },
  { says: 'mutual recursion ends', text: '${expand:\\${expand:abc\\}}', gives: 'abc' },
]
for (const row of rows) {
  test(`expansion: ${row.says}`, async () => {
    const value = await expand(row.text)
    if (typeof row.gives === 'string') assert.equal(value, row.gives)
    else assert.match(value, row.gives)
  })
}

test('an expansion without input or output gives its value at once', () => {
  const { expander, context } = expansionBench(options)
  const value = expander.expand(new Expandable('${if match{$domain}{(?i)^ex}{${lc:$domain}}{no}}'), context)
  assert.ok(!(value instanceof Promise))
  assert.equal(isFailure(value) ? value.message : textOf(value), 'example.org')
})

test('taint lies on what came from outside, and quoting is remembered', () => {
  const { expander, context } = expansionBench(options)
  const plain = expander.expandText('a${lc:b}$primary_hostname', context)
  assert.ok(typeof plain === 'string')
  const mixed = expander.expandText('x${quote_mysql:$local_part}', context)
  assert.ok(!(mixed instanceof Promise) && !isFailure(mixed) && isTainted(mixed))
  assert.equal(mixed.text, "xo\\'brien")
  assert.equal(unquotedTaint(mixed, 'mysql'), undefined)
  assert.equal(unquotedTaint(mixed, 'pgsql')?.origin, '$local_part')
  const found = expander.expandText("${if inlist{$local_part}{x:o'brien}{$value}}", context)
  assert.equal(found, "o'brien")
})

test('captures live until the end of their if', async () => {
  assert.equal(await expand('${if match{ab}{(a)}{$1${if match{x}{(x)}{$1}}$1}}$1'), 'axa')
})

test('an ACL is called with its arguments', async () => {
  const calls: string[] = []
  const value = await expand('${acl{check}{a}{b}}', {
    ports: {
      runAcl(acl, _place, _context, list = []) {
        calls.push(textOf(acl), ...list.map(textOf))
        return { verdict: 'accept', userMessage: 'done', logMessage: undefined }
      },
    },
  })
  assert.equal(value, 'done')
  assert.deepEqual(calls, ['check', 'a', 'b'])
})

test('commands and sockets stand behind doors', async () => {
  const value = await expand('${run{/x/y "a b" c}{$value}}|${readsocket{/s}{q}{2s:shutdown=no}{,}}', {
    deps: {
      doors: {
        runCommand: ({ program, argv }) =>
          Promise.resolve({ is: 'ended', code: 0, output: [program, ...argv].join('+') }),
        askSocket: ({ request, timeoutMs, shutdown }) =>
          Promise.resolve({ is: 'answer', data: `${request}\n${timeoutMs}\n${String(shutdown)}` }),
      },
    },
  })
  assert.equal(value, '/x/y+a b+c|q,2000,false')
})

test('a refusal of what came from outside names its place and what to write', async () => {
  const { expander, context } = expansionBench({ context: { address: { localPart: 'j', domain: 'e.x' } } })
  const origin = {
    locate: (start: number) => ({
      file: '/etc/conf',
      line: start < 5 ? 7 : 8,
      column: 1,
      length: 1,
      lineText: '',
      through: [],
    }),
  }
  const cases = [
    [
      '${readfile{/etc/$domain}}',
      "Tainted name '/etc/e.x' for file read not permitted ($domain came from outside; use $domain_data) (line 8 of /etc/conf)",
    ],
    [
      '${lookup{k}lsearch{/etc/$local_part}}',
      "Tainted filename for search: '/etc/j' ($local_part came from outside; use $local_part_data) (line 8 of /etc/conf)",
    ],
    [
      '${run{$local_part}}',
      "Attempt to exec tainted path: 'j' ($local_part came from outside; use $local_part_data) (line 8 of /etc/conf)",
    ],
  ] as const
  for (const [text, message] of cases) {
    const value = await expander.expand(new Expandable(text, origin), context)
    assert.equal(isFailure(value) ? value.message : value, message)
  }
})

test('a long loop lets others run, and a growing one ends', async () => {
  const list = Array.from({ length: 3000 }, (_, i) => String(i)).join(':')
  const { expander, context } = expansionBench({ context: { variables: new Map([['host_data', list]]) } })
  let longest = 0
  // Time of the processor: others use this machine too.
  const used = (): number => process.cpuUsage().user / 1000
  let last = used()
  const timer = setInterval(() => {
    longest = Math.max(longest, used() - last)
    last = used()
  }, 1)
  const nested =
    '${reduce{${host_data}}{0}{${eval:$value+${reduce{1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19}{0}{${eval:$value+$item}}}}}}'
  const value = await expander.expandText(nested, context)
  clearInterval(timer)
  assert.equal(isFailure(value) ? value.message : textOf(value), '570000')
  // The promise is 50 ms; a busy machine gets room.
  assert.ok(longest < 250, `held for ${longest} ms`)
  const grown = await expander.expandText('${reduce{${host_data}}{x}{$value$value}}', context)
  assert.ok(isFailure(grown) && grown.message.startsWith('expansion result is longer than'))
})

test('deep nesting is refused, not overflowed', async () => {
  for (const depth of [250, 5000]) {
    assert.match(await expand(`${'${lc:'.repeat(depth)}x${'}'.repeat(depth)}`), /nested too deeply/)
    assert.match(
      await expand(`\${if ${'and{{'.repeat(depth)}eq{a}{a}${'}}'.repeat(depth)}}`),
      /nested too deeply/,
    )
  }
  assert.equal(await expand(`${'${lc:'.repeat(150)}X${'}'.repeat(150)}`), 'x')
})

const faults: readonly { text: string; message: string; help?: string; start: number; also?: number }[] = [
  { text: '${lcc:a}', message: 'unknown expansion operator "lcc"', help: 'did you mean "lc"?', start: 2 },
  { text: 'x$domian', message: 'unknown variable name "domian"', help: 'did you mean "domain"?', start: 2 },
  { text: '${if eqq{a}{b}}', message: 'unknown condition "eqq"', help: 'did you mean "eq"?', start: 5 },
  {
    text: '${lookup{a}lsaerch{/x}}',
    message: 'unknown lookup type "lsaerch"',
    help: 'did you mean "lsearch"?',
    start: 11,
  },
  { text: 'a ${lc:b', message: 'missing } at end of string', start: 7, also: 6 },
  { text: '${sg{a}{b}}', message: "Not enough arguments for 'sg' (min is 3)", start: 0 },
  { text: '${sg{a}{b}{c}{d}}', message: "Too many arguments for 'sg' (max is 3)", start: 13 },
  { text: '${dlfunc{a}}', message: '${dlfunc is refused: C functions cannot be loaded', start: 0 },
  {
    text: '${lookup nisplus{x}}',
    message: 'lookup type "nisplus" does not work in this version',
    start: 9,
  },
]
for (const fault of faults) {
  test(`check: ${fault.text}`, () => {
    const [found] = createExpander().check(new Expandable(fault.text))
    assert.equal(found?.message, fault.message)
    assert.equal(found?.at?.start, fault.start)
    if (fault.help !== undefined) assert.equal(found?.help, fault.help)
    if (fault.also !== undefined) assert.equal(found?.also?.[0]?.at.start, fault.also)
  })
}

test('check: several faults at once', () => {
  const found = createExpander().check(new Expandable('$foo ${if def:bar{$baz}} ${nosuch:x}'))
  assert.deepEqual(
    found.map((one) => one.message),
    [
      'unknown variable name "foo"',
      'unknown variable "bar" after "def:"',
      'unknown variable name "baz"',
      'unknown expansion operator "nosuch"',
    ],
  )
})

test('every row has its sentence and names are unique', () => {
  for (const table of [items, operators, conditions, variables]) {
    for (const [name, row] of table) {
      assert.equal(row.name, name)
      assert.ok(row.doc.length > 5, name)
      assert.ok(row.manual !== '', name)
    }
  }
  assert.ok(expansionNames.variables.length >= 290)
})

test('a value from a variable that others set keeps its own taint', () => {
  const { expander, context } = expansionBench({
    context: { variables: new Map([['host_data', taint('x', '$sender_host_name')]]) },
  })
  const value = expander.expandText('$host_data', context)
  assert.ok(!(value instanceof Promise) && !isFailure(value) && isTainted(value))
})

/** Observed of Exim 4.96 with -bh. */
const clients: readonly { helo: string; port: boolean; name?: string; rcvhost: string; fullhost: string }[] =
  [
    {
      helo: 'foo.bar',
      port: true,
      rcvhost: '[192.0.2.7] (port=1234 helo=foo.bar)',
      fullhost: '(foo.bar) [192.0.2.7]:1234',
    },
    {
      helo: 'foo.bar',
      port: false,
      rcvhost: '[192.0.2.7] (helo=foo.bar)',
      fullhost: '(foo.bar) [192.0.2.7]',
    },
    { helo: '[192.0.2.7]', port: false, rcvhost: '[192.0.2.7]', fullhost: '([192.0.2.7]) [192.0.2.7]' },
    {
      helo: '192.0.2.7',
      port: false,
      rcvhost: '[192.0.2.7] (helo=192.0.2.7)',
      fullhost: '(192.0.2.7) [192.0.2.7]',
    },
    {
      helo: 'c.example',
      name: 'c.example',
      port: false,
      rcvhost: 'c.example ([192.0.2.7])',
      fullhost: 'c.example [192.0.2.7]',
    },
    {
      helo: 'x',
      name: 'c.example',
      port: false,
      rcvhost: 'c.example ([192.0.2.7] helo=x)',
      fullhost: 'c.example (x) [192.0.2.7]',
    },
  ]
for (const client of clients) {
  test(`expansion: a client that says ${client.helo}${client.port ? ' with port' : ''}${client.name ?? ''}`, async () => {
    const options: BenchOptions = {
      ports: {
        log: {
          selects: (selector) => client.port && selector === 'incoming_port',
          main: () => undefined,
          reject: () => undefined,
          panic: () => undefined,
        },
      },
      context: {
        connection: connectionFacts({
          hostAddress: '192.0.2.7',
          hostPort: 1234,
          helo: client.helo,
          hostName: client.name,
        }),
      },
    }
    assert.equal(
      await expand('$sender_rcvhost|$sender_fullhost', options),
      `${client.rcvhost}|${client.fullhost}`,
    )
  })
}

test('the name of a client is looked up when it is asked for', async () => {
  const connection = connectionFacts({ hostAddress: '192.0.2.7' })
  const options: BenchOptions = {
    ports: {
      lookUpHostName(facts) {
        facts.hostName = 'found.example'
        facts.hostLookup = 'found'
        return Promise.resolve()
      },
    },
    context: { connection },
  }
  assert.equal(await expand('[$sender_host_name]', options), '[found.example]')
})

const hours: readonly { zone: string; gives: string }[] = [
  {
    zone: 'UTC',
    gives: 'Thu, 05 Feb 2026 23:30:00 +0000|2026-02-05 23:30:00|20260205|+0000|20260205233000Z',
  },
  {
    zone: 'Europe/Berlin',
    gives: 'Fri, 06 Feb 2026 00:30:00 +0100|2026-02-06 00:30:00|20260206|+0100|20260205233000Z',
  },
  {
    zone: 'America/St_Johns',
    gives: 'Thu, 05 Feb 2026 20:00:00 -0330|2026-02-05 20:00:00|20260205|-0330|20260205233000Z',
  },
]
for (const { zone, gives } of hours) {
  test(`expansion: the time of day in ${zone}`, async () => {
    const options: BenchOptions = {
      settings: { timezone: zone },
      ports: { now: () => Date.UTC(2026, 1, 5, 23, 30) },
    }
    assert.equal(await expand('$tod_full|$tod_log|$tod_logfile|$tod_zone|$tod_zulu', options), gives)
    assert.equal(await expand('$tod_epoch $tod_epoch_l', options), '1770334200 1770334200000000')
  })
}
