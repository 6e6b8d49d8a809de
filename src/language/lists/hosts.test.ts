import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyBench, type World } from '../../../test/support/policy-world.ts'
import { Expandable } from '../../base/expandable.ts'

interface Case {
  readonly says: string
  readonly list: string
  readonly address?: string
  readonly is: 'match' | 'no' | 'defer' | 'failure'
  /** Debugging lines, as `exim4 -bh` prints them. */
  readonly debug?: readonly string[]
  readonly log?: readonly string[]
  readonly world?: World
}

const names = { '192.0.2.1': 'mail.friend.example', '192.0.2.3': 'again' as const }
const hosts = {
  'friend.example': ['192.0.2.1', '2001:db8::1'],
  'late.example': 'again' as const,
  'me.example': ['192.0.2.9'],
}
const required = (item: string): string => `sender host name required, to match against ${item}`

const cases: readonly Case[] = [
  {
    says: 'a named list shows its own line, then the one that uses it',
    list: '+h2',
    is: 'match',
    world: {
      lists: [
        ['host', 'h2', '!192.0.2.2 : +h1'],
        ['host', 'h1', '192.0.2.0/24'],
      ],
    },
    debug: [
      'host in "192.0.2.0/24"? yes (matched "192.0.2.0/24")',
      'host in "!192.0.2.2 : +h1"? yes (matched "+h1")',
      'host in "+h2"? yes (matched "+h2")',
    ],
  },
  {
    says: 'a negative item that matches ends the list',
    list: '!192.0.2.1 : *',
    is: 'no',
    debug: ['host in "!192.0.2.1 : *"? no (matched "!192.0.2.1")'],
  },
  {
    says: 'a list that ends with a negative item holds everything else',
    list: '!192.0.2.2',
    is: 'match',
    debug: ['host in "!192.0.2.2"? yes (end of list)'],
  },
  {
    says: 'a name is looked up for *.suffix',
    list: '*.friend.example',
    is: 'match',
    debug: [required('*.friend.example'), 'host in "*.friend.example"? yes (matched "*.friend.example")'],
  },
  { says: 'a regular expression is matched against the name', list: '^MAIL\\.', is: 'match' },
  { says: '(?-i) makes it heed case', list: '^(?-i)MAIL\\.', is: 'no' },
  {
    says: 'a host without a name is not in the list',
    list: '*.foo.example : 192.0.2.2',
    address: '192.0.2.2',
    is: 'no',
    debug: [
      required('*.foo.example'),
      'host in "*.foo.example : 192.0.2.2"? no (failed to find host name for 192.0.2.2)',
    ],
  },
  {
    says: 'an address before the name is found without looking',
    list: '192.0.2.2 : *.foo.example',
    address: '192.0.2.2',
    is: 'match',
  },
  {
    says: '+include_unknown takes a host without a name',
    list: '+include_unknown : *.foo.example',
    address: '192.0.2.2',
    is: 'match',
    log: ['main: failed to find host name for 192.0.2.2: accepted by +include_unknown'],
  },
  {
    says: 'unknown_in_list logs why a list ended',
    list: '*.foo.example',
    address: '192.0.2.2',
    is: 'no',
    world: { selectors: ['unknown_in_list'] },
    log: ['main: list matching forced to fail: failed to find host name for 192.0.2.2'],
  },
  {
    says: '+ignore_unknown goes on',
    list: '+ignore_unknown : *.foo.example : 192.0.2.2',
    address: '192.0.2.2',
    is: 'match',
    debug: [
      required('*.foo.example'),
      'failed to find host name for 192.0.2.2: item ignored by +ignore_unknown',
      'host in "+ignore_unknown : *.foo.example : 192.0.2.2"? yes (matched "192.0.2.2")',
    ],
  },
  {
    says: 'the last of several signs counts',
    list: '+include_unknown : +ignore_unknown : *.foo.example',
    address: '192.0.2.2',
    is: 'no',
  },
  { says: 'a look-up that fails for now defers', list: '*.foo.example', address: '192.0.2.3', is: 'defer' },
  {
    says: '+ignore_defer goes on',
    list: '+ignore_defer : *.x : 192.0.2.3',
    address: '192.0.2.3',
    is: 'match',
  },
  { says: '+include_defer takes the host', list: '+include_defer : *.x', address: '192.0.2.3', is: 'match' },
  { says: 'a plain name leads to addresses', list: 'friend.example', is: 'match' },
  { says: 'also of IPv6', list: 'friend.example', address: '2001:db8:0::1', is: 'match' },
  {
    says: 'another address is no match',
    list: 'friend.example : 192.0.2.7',
    address: '192.0.2.7',
    is: 'match',
  },
  {
    says: 'a name without addresses ends the list',
    list: 'nobody.example : 192.0.2.1',
    is: 'no',
    debug: [
      'no IP address found for host nobody.example (during SMTP connection from (x) [192.0.2.1])',
      'host in "nobody.example : 192.0.2.1"? no (failed to find IP address for nobody.example)',
    ],
    log: ['main: no IP address found for host nobody.example (during SMTP connection from (x) [192.0.2.1])'],
  },
  {
    says: '+ignore_unknown passes over such a name',
    list: '+ignore_unknown : nobody.example : 192.0.2.1',
    is: 'match',
  },
  { says: 'a name that cannot be found now defers', list: 'late.example : *', is: 'defer' },
  { says: '@ is this host, by name', list: '@', address: '192.0.2.9', is: 'match' },
  { says: '@[] is this host, by interface', list: '@[]', address: '127.0.0.1', is: 'match' },
  { says: '@[] knows IPv6', list: '@[]', address: '::1', is: 'match' },
  {
    says: 'an IPv4-mapped address counts as IPv4',
    list: '192.0.2.0/24',
    address: '::ffff:192.0.2.1',
    is: 'match',
  },
  {
    says: 'an unknown named list is a mistake',
    list: '+nope : *',
    is: 'failure',
    log: ['panic: unknown named host list "+nope"'],
  },
  { says: 'a mask that cannot be never matches', list: '192.0.2.0/40 : 192.0.2.1', is: 'match' },
  {
    says: 'an expansion that is forced to fail means no match',
    list: '${if eq{a}{b}{x}fail}',
    is: 'no',
    debug: ['expansion of "${if eq{a}{b}{x}fail}" forced failure: assume not in this list'],
  },
  {
    says: 'an expansion that fails is a mistake',
    list: '${nosuch}',
    is: 'failure',
    log: ['panic: failed to expand "${nosuch}" while checking a list: unknown variable in "${nosuch}"'],
  },
  {
    says: 'a list that contains itself ends',
    list: '+a',
    is: 'failure',
    world: {
      lists: [
        ['host', 'a', '+b'],
        ['host', 'b', '+a'],
      ],
    },
  },
  {
    says: 'a list that expands to a test of itself ends',
    list: '+a',
    is: 'failure',
    world: { lists: [['host', 'a', '${if match_ip{192.0.2.1}{+a}{*}{*}}']] },
  },
  { says: 'a file that is not there is a mistake', list: '/nosuch/file', is: 'failure' },
  {
    says: 'a lookup type nobody knows is a mistake',
    list: 'foo;bar',
    is: 'failure',
    log: ['panic: unknown lookup type "foo"'],
  },
  {
    says: 'a lookup that cannot be made is told to the log',
    list: 'net-lsearch;/nosuch/${sender_helo_name}',
    is: 'failure',
    log: ["panic: Tainted filename '/nosuch/x' (from $sender_helo_name)"],
  },
]

for (const c of cases) {
  test(`host lists: ${c.says}`, async () => {
    const bench = policyBench({
      names,
      hosts,
      ...c.world,
      connection: { hostAddress: c.address ?? '192.0.2.1' },
    })
    const { context } = bench
    const subject = { address: c.address ?? '192.0.2.1' }
    const result = await context.ports.matchList('host', new Expandable(c.list), subject, context)
    assert.equal(result.is, c.is, JSON.stringify([result, bench.log]))
    if (c.debug !== undefined) assert.deepEqual(bench.debug, c.debug)
    if (c.log !== undefined) assert.deepEqual(bench.log, c.log)
  })
}

test('host lists: the name of a client is looked up once', async () => {
  let asked = 0
  const { context } = policyBench({ names })
  const ports: typeof context.ports = {
    ...context.ports,
    lookUpHostName(connection, inner) {
      asked++
      return context.ports.lookUpHostName(connection, inner)
    },
  }
  const list = new Expandable('*.foo : *.bar : ^x : *.friend.example')
  const subject = { address: '192.0.2.1' }
  assert.equal((await ports.matchList('host', list, subject, { ...context, ports })).is, 'match')
  assert.equal((await ports.matchList('host', list, subject, { ...context, ports })).is, 'match')
  assert.equal(asked, 1)
})

test('host lists: a main option is named without quotes in debugging lines', async () => {
  const list = new Expandable('192.0.2.1', undefined, 'host_lookup')
  const { context, debug } = policyBench({ settings: { host_lookup: list } })
  await context.ports.matchList('host', list, { address: '192.0.2.1' }, context)
  assert.deepEqual(debug, ['host in host_lookup? yes (matched "192.0.2.1")'])
})
