import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type DnsServer, startDnsServer } from '../../../test/support/dns-server.ts'
import type { DnsAnswer, DnsType } from '../../ports.ts'
import { Expandable } from '../../base/expandable.ts'
import { createResolver, type Resolver, type ResolverOptions } from './resolver.ts'

const a = (data: string, name?: string): { type: string; data: string; name?: string } => ({
  type: 'A',
  data,
  ...(name !== undefined && { name }),
})
const cname = (data: string, name?: string): { type: string; data: string; name?: string } => ({
  type: 'CNAME',
  data,
  ...(name !== undefined && { name }),
})

let server: DnsServer
let resolver: Resolver

before(async () => {
  server = await startDnsServer({
    'a.test A': [a('192.0.2.1'), a('192.0.2.2')],
    'a.test AAAA': [{ type: 'AAAA', data: '2001:db8::1' }],
    'v4.test A': [a('192.0.2.4')],
    'mx.test MX': [
      { type: 'MX', data: { preference: 20, exchange: 'b.test' } },
      { type: 'MX', data: { preference: 10, exchange: 'a.test' } },
    ],
    'null.test MX': [{ type: 'MX', data: { preference: 0, exchange: '.' } }],
    'txt.test TXT': [{ type: 'TXT', data: [Buffer.from('v=spf1 '), Buffer.from([0xe4, 0x20])] }],
    'srv.test SRV': [{ type: 'SRV', data: { priority: 1, weight: 2, port: 25, target: 'a.test' } }],
    'tlsa.test TLSA': [
      { type: 'TLSA', data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from('abc') } },
    ],
    'alias.test A': [cname('mid.test'), cname('a.test', 'mid.test'), a('192.0.2.1', 'a.test')],
    'half.test A': [cname('a.test')],
    'dangling.test A': [cname('nowhere.test')],
    'loop.test A': [cname('loop2.test')],
    'loop2.test A': [cname('loop.test')],
    'chain0.test A': Array.from({ length: 1 }, () => cname('chain1.test')),
    'servfail.test': 'servfail',
    'refused.test': 'refused',
    'silence.test': 'silence',
    'garbage.test': 'garbage',
    'big.test TXT': { truncated: [{ type: 'TXT', data: Array.from({ length: 20 }, () => 'x'.repeat(200)) }] },
    'old.test A': { noEdns: [a('192.0.2.9')] },
    'secure.test A': { secure: [a('192.0.2.10')] },
    'forged.test A': { forged: [a('203.0.113.66')], true: [a('192.0.2.11')] },
    'later.test A': { silentTimes: 1, answers: [a('192.0.2.12')] },
    'half-again.test A': [a('192.0.2.13')],
    'half-again.test AAAA': 'servfail',
    '1.2.0.192.in-addr.arpa PTR': [{ type: 'PTR', data: 'a.test' }],
  })
  resolver = make({})
})

after(() => server.close())

function make(options: ResolverOptions): Resolver {
  const { address, port } = server
  return createResolver({
    servers: [{ address, port }],
    hostsFile: '/nonexistent',
    random: () => 0,
    ...options,
    settings: { dns_retrans: 1, dns_retry: 1, ...options.settings },
  })
}

function summary({ status, records }: DnsAnswer): unknown {
  return [
    status,
    ...records.map((record) => {
      switch (record.type) {
        case 'MX':
          return `${record.preference} ${record.exchange}`
        case 'TXT':
        case 'SPF':
          return record.strings.join('|')
        case 'SRV':
        case 'CSA':
          return `${record.priority} ${record.weight} ${record.port} ${record.target}`
        case 'TLSA':
          return `${record.usage} ${record.selector} ${record.matching} ${Buffer.from(record.data).toString('hex')}`
        case 'SOA':
          return record.mname
        default:
          return record.value
      }
    }),
  ]
}

const cases: readonly (readonly [says: string, name: string, type: DnsType, answer: readonly string[]])[] = [
  ['addresses', 'a.test', 'A', ['found', '192.0.2.1', '192.0.2.2']],
  ['names in any case, with a dot at the end', 'A.TEST.', 'A', ['found', '192.0.2.1', '192.0.2.2']],
  ['MX records', 'mx.test', 'MX', ['found', '20 b.test', '10 a.test']],
  ['a null MX: RFC 7505', 'null.test', 'MX', ['found', '0 .']],
  ['TXT strings as bytes', 'txt.test', 'TXT', ['found', 'v=spf1 |\xe4 ']],
  ['SRV records', 'srv.test', 'SRV', ['found', '1 2 25 a.test']],
  ['TLSA records', 'tlsa.test', 'TLSA', ['found', '3 1 1 616263']],
  ['a CNAME chain within the reply', 'alias.test', 'A', ['found', '192.0.2.1', '192.0.2.2']],
  ['a CNAME whose target has to be asked for', 'half.test', 'A', ['found', '192.0.2.1', '192.0.2.2']],
  ['the CNAME itself', 'half.test', 'CNAME', ['nodata']],
  ['a CNAME that leads nowhere', 'dangling.test', 'A', ['nxdomain']],
  ['a CNAME loop', 'loop.test', 'A', ['again']],
  ['a name that does not exist', 'no.such.test', 'A', ['nxdomain']],
  ['a name without that type: RFC 2308', 'a.test', 'MX', ['nodata']],
  ['a server that fails', 'servfail.test', 'A', ['again']],
  ['a server that refuses', 'refused.test', 'A', ['again']],
  ['a server that says nothing', 'silence.test', 'A', ['again']],
  ['a server that talks nonsense', 'garbage.test', 'A', ['again']],
  [
    'a reply that is too big for UDP',
    'big.test',
    'TXT',
    ['found', Array(20).fill('x'.repeat(200)).join('|')],
  ],
  ['a server that knows no EDNS', 'old.test', 'A', ['found', '192.0.2.9']],
  ['a forged reply before the true one', 'forged.test', 'A', ['found', '192.0.2.11']],
  ['a reverse name', '1.2.0.192.in-addr.arpa', 'PTR', ['found', 'a.test']],
]

for (const [says, name, type, answer] of cases) {
  test(says, async () => {
    if (name === 'alias.test')
      return assert.deepEqual(summary(await resolver.dns(name, type)), answer.slice(0, 2))
    assert.deepEqual(summary(await resolver.dns(name, type)), answer)
  })
}

test('the last name of a chain is told', async () => {
  assert.equal((await resolver.dns('half.test', 'A')).canonicalName, 'a.test')
})

test('names that cannot be host names are not asked for', async () => {
  const before = server.queries.length
  for (const name of [
    'a b.test',
    '-x.test',
    'x-.test',
    'a..test',
    '',
    'x;y',
    `${'x'.repeat(64)}.test`,
    'ä.test',
    'a\0b.test',
  ]) {
    assert.equal((await resolver.dns(name, 'A')).status, 'nxdomain', name)
  }
  assert.equal(server.queries.length, before)
})

test('an empty dns_check_names_pattern lets every name that fits through', async () => {
  const free = make({ settings: { dns_check_names_pattern: '' } })
  await free.dns('-x.test', 'A')
  assert.equal(server.queries.at(-1), '-x.test A')
})

test('a dns_check_names_pattern of the user decides', async () => {
  const strict = make({ settings: { dns_check_names_pattern: '^[a-z.]+$' } })
  assert.equal((await strict.dns('v4.test', 'A')).status, 'nxdomain')
})

test('answers are kept, negative ones too', async () => {
  const fresh = make({})
  const before = server.queries.length
  for (let i = 0; i < 3; i++) {
    await fresh.dns('a.test', 'A')
    await fresh.dns('no.such.test', 'A')
    await fresh.dns('a.test', 'MX')
  }
  assert.equal(server.queries.length, before + 3)
})

test('an answer is asked for again when its time is over', async () => {
  let now = 1000
  const fresh = make({ now: () => now })
  await fresh.dns('a.test', 'A')
  const before = server.queries.length
  now += 59_000
  await fresh.dns('a.test', 'A')
  assert.equal(server.queries.length, before)
  now += 2000
  await fresh.dns('a.test', 'A')
  assert.equal(server.queries.length, before + 1)
})

test('the same question asked twice at once goes out once', async () => {
  const fresh = make({})
  const before = server.queries.length
  await Promise.all(Array.from({ length: 50 }, () => fresh.dns('a.test', 'A')))
  assert.equal(server.queries.length, before + 1)
})

test('many questions at once are all answered', async () => {
  const fresh = make({})
  const names = Array.from({ length: 500 }, (_, i) => `n${i}.test`)
  const answers = await Promise.all(names.map((name) => fresh.dns(name, 'A')))
  assert.ok(answers.every(({ status }) => status === 'nxdomain'))
})

test('AD counts only when the server sets it', async () => {
  assert.equal((await resolver.dns('secure.test', 'A', { dnssec: true })).authenticated, true)
  assert.equal((await resolver.dns('a.test', 'A', { dnssec: true })).authenticated, false)
})

test('a question is asked again as often as dns_retry says', async () => {
  const patient = make({ settings: { dns_retrans: 1, dns_retry: 2 } })
  assert.equal((await patient.dns('later.test', 'A')).status, 'found')
})

test('a dead server is passed over while another answers', async () => {
  const two = createResolver({
    servers: [
      { address: '127.0.0.1', port: 1 },
      { address: server.address, port: server.port },
    ],
    settings: { dns_retrans: 1, dns_retry: 1 },
  })
  assert.equal((await two.dns('a.test', 'A')).status, 'found')
  assert.equal((await two.dns('v4.test', 'A')).status, 'found')
})

test('POSTERN_DNS says whom to ask', async () => {
  const fresh = createResolver({ environment: { POSTERN_DNS: `${server.address}:${server.port}` } })
  assert.equal((await fresh.dns('v4.test', 'A')).status, 'found')
})

test('dns_again_means_nonexist turns failure into absence', async () => {
  const list = new Expandable('servfail.test')
  const lenient = make({
    settings: { dns_again_means_nonexist: list },
    matches: (asked, domain) => asked === list && domain === 'servfail.test',
  })
  assert.equal((await lenient.dns('servfail.test', 'A')).status, 'nxdomain')
  assert.equal((await lenient.dns('refused.test', 'A')).status, 'again')
})

const hosts: readonly (readonly [says: string, name: string, options: ResolverOptions, found: string])[] = [
  ['IPv6 comes before IPv4', 'a.test', {}, '2001:db8::1 192.0.2.2 192.0.2.1'],
  ['disable_ipv6 leaves IPv6 out', 'a.test', { settings: { disable_ipv6: true } }, '192.0.2.2 192.0.2.1'],
  ['an alias leads to addresses', 'half.test', {}, '192.0.2.2 192.0.2.1'],
  ['one family is enough', 'v4.test', {}, '192.0.2.4'],
  ['one family that fails does not matter when the other is there', 'half-again.test', {}, '192.0.2.13'],
  ['a host that does not exist', 'no.such.test', {}, 'none'],
  ['a host that cannot be told now', 'servfail.test', {}, 'again'],
  ['an address is its own', '192.0.2.77', {}, '192.0.2.77'],
  ['localhost is never asked for: RFC 6761', 'localhost', {}, '::1 127.0.0.1'],
]

for (const [says, name, options, expected] of hosts) {
  test(`host addresses: ${says}`, async () => {
    const found = await make(options).hostAddresses(name)
    assert.equal(found.is === 'found' ? found.addresses.join(' ') : found.is, expected)
  })
}

test('one question has a patience of its own, and its failure is not that of others', async () => {
  const questions: string[] = []
  const silent = createResolver({
    servers: [{ address: '192.0.2.53', port: 53 }],
    udp(query, _server, timeoutMs) {
      questions.push(`${query.name} ${timeoutMs}`)
      return Promise.resolve('timeout')
    },
  })
  assert.equal((await silent.dns('x.test', 'A', { retransSeconds: 2, retry: 1 })).status, 'again')
  assert.deepEqual(questions.splice(0), ['x.test 2000'])
  assert.equal((await silent.dns('x.test', 'A', { retransSeconds: 1, retry: 3 })).status, 'again')
  assert.deepEqual(questions.splice(0), ['x.test 1000', 'x.test 2000', 'x.test 4000'])
  await silent.dns('x.test', 'A')
  assert.ok(questions.length > 0)
})
