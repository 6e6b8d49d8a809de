import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConnectionFacts, Context, DnsAnswer, HostAddresses } from '../../ports.ts'
import { createHostNames } from './host-names.ts'
import type { Resolver } from './resolver.ts'
import { reverseName, sameAddress } from './names.ts'

/** Names of addresses and addresses of names; `again` for what cannot be told now. */
interface Answers {
  readonly ptr: Readonly<Record<string, readonly string[] | 'again'>>
  readonly addresses?: Readonly<Record<string, readonly string[] | 'again'>>
  readonly hosts?: Readonly<Record<string, readonly string[]>>
}

function resolverOf({ ptr, addresses = {}, hosts = {} }: Answers): Resolver {
  return {
    dns(name): Promise<DnsAnswer> {
      const found = ptr[name]
      if (found === 'again')
        return Promise.resolve({ status: 'again', records: [], authenticated: false, canonicalName: name })
      const records = (found ?? []).map((value) => ({ type: 'PTR' as const, name, ttl: 60, value }))
      const status = found === undefined ? 'nxdomain' : 'found'
      return Promise.resolve({ status, records, authenticated: false, canonicalName: name })
    },
    hostAddresses(name): Promise<HostAddresses> {
      const found = addresses[name]
      if (found === undefined) return Promise.resolve({ is: 'none' })
      if (found === 'again') return Promise.resolve({ is: 'again' })
      return Promise.resolve({ is: 'found', addresses: found, canonicalName: name, dnssec: false })
    },
    searchDomains: () => [],
    hostsFileNames: (address) => hosts[address] ?? [],
  }
}

const reversed = '1.2.0.192.in-addr.arpa'

const cases: readonly {
  readonly says: string
  readonly answers: Answers
  readonly address?: string
  readonly order?: readonly string[]
  readonly result: string
  readonly name?: string
  readonly aliases?: readonly string[]
  readonly logged?: readonly string[]
}[] = [
  {
    says: 'a name that leads back is taken',
    answers: { ptr: { [reversed]: ['A.test'] }, addresses: { 'a.test': ['192.0.2.9', '192.0.2.1'] } },
    result: 'found',
    name: 'a.test',
  },
  {
    says: 'a name that does not lead back is not',
    answers: { ptr: { [reversed]: ['liar.test'] }, addresses: { 'liar.test': ['192.0.2.2'] } },
    result: 'failed',
  },
  {
    says: 'other names that lead back are aliases',
    answers: {
      ptr: { [reversed]: ['no.test', 'a.test', 'b.test'] },
      addresses: { 'a.test': ['192.0.2.1'], 'b.test': ['192.0.2.1'] },
    },
    result: 'found',
    name: 'a.test',
    aliases: ['b.test'],
    logged: ['no IP address found for host no.test (during SMTP connection from (there) [192.0.2.1])'],
  },
  {
    says: 'an address without a name',
    answers: { ptr: {} },
    result: 'failed',
    logged: ['no host name found for IP address 192.0.2.1'],
  },
  { says: 'a server that cannot tell now', answers: { ptr: { [reversed]: 'again' } }, result: 'deferred' },
  {
    says: 'a name whose addresses cannot be told now',
    answers: { ptr: { [reversed]: ['a.test'] }, addresses: { 'a.test': 'again' } },
    result: 'deferred',
  },
  {
    says: '/etc/hosts comes when the DNS has nothing',
    answers: { ptr: {}, hosts: { '192.0.2.1': ['h.test'] }, addresses: { 'h.test': ['192.0.2.1'] } },
    result: 'found',
    name: 'h.test',
  },
  {
    says: 'byaddr first, when host_lookup_order says so',
    answers: {
      ptr: { [reversed]: ['a.test'] },
      hosts: { '192.0.2.1': ['h.test'] },
      addresses: { 'a.test': ['192.0.2.1'], 'h.test': ['192.0.2.1'] },
    },
    order: ['byaddr', 'bydns'],
    result: 'found',
    name: 'h.test',
  },
  {
    says: 'IPv6 is asked for by nibbles, and compared as a number',
    address: '2001:db8::1',
    answers: {
      ptr: { '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa': ['six.test'] },
      addresses: { 'six.test': ['2001:0DB8:0:0::1'] },
    },
    result: 'found',
    name: 'six.test',
  },
]

for (const c of cases) {
  test(c.says, async () => {
    const logged: string[] = []
    const connection = {
      kind: 'smtp',
      hostAddress: c.address ?? '192.0.2.1',
      hostName: undefined,
      hostAliases: [],
      hostLookup: 'not done',
      hostDnssec: false,
      helo: 'there',
    }
    const context = {
      ports: { log: { selects: () => true, main: (_: unknown, line: string) => logged.push(line) } },
    }
    const lookUp = createHostNames({ resolver: resolverOf(c.answers), order: c.order ?? ['bydns', 'byaddr'] })
    // Only these facts are looked at; the rest of a session is not needed.
    await Promise.all([
      lookUp(connection as unknown as ConnectionFacts, context as unknown as Context),
      lookUp(connection as unknown as ConnectionFacts, context as unknown as Context),
    ])
    assert.equal(connection.hostLookup, c.result)
    assert.equal(connection.hostName, c.name)
    assert.deepEqual(connection.hostAliases, c.aliases ?? [])
    assert.deepEqual(logged, c.logged ?? [])
  })
}

test('reverse names', () => {
  assert.equal(reverseName('192.0.2.1'), reversed)
  assert.equal(
    reverseName('::ffff:192.0.2.1'),
    '1.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa',
  )
  assert.equal(reverseName('nonsense'), undefined)
})

test('addresses are compared as numbers', () => {
  assert.ok(sameAddress('2001:DB8::1', '2001:db8:0:0:0:0:0:1'))
  assert.ok(!sameAddress('2001:db8::1', '2001:db8::2'))
  assert.ok(!sameAddress('192.0.2.1', '192.0.2.2'))
})
