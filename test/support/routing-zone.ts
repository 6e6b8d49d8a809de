/** Names for the comparison of routing by DNS. No two hosts share a preference: Exim would shuffle them. */
import type { ScriptedRecord, Zone } from './dns-server.ts'

const a = (...addresses: string[]): ScriptedRecord[] => addresses.map((data) => ({ type: 'A', data }))
const aaaa = (...addresses: string[]): ScriptedRecord[] => addresses.map((data) => ({ type: 'AAAA', data }))
const mx = (...hosts: (readonly [preference: number, exchange: string])[]): ScriptedRecord[] =>
  hosts.map(([preference, exchange]) => ({ type: 'MX', data: { preference, exchange } }))
const srv = (priority: number, weight: number, port: number, target: string): ScriptedRecord => ({
  type: 'SRV',
  data: { priority, weight, port, target },
})

export const zone: Zone = {
  'a.test A': a('198.51.100.1'),
  'b.test A': a('198.51.100.2'),
  'b.test MX': mx([10, 'b1.test'], [20, 'b2.test']),
  'b1.test A': a('198.51.100.21'),
  'b2.test A': a('198.51.100.22'),
  'c.test A': a('198.51.100.3'),
  'both.test A': a('198.51.100.4'),
  'both.test AAAA': aaaa('2001:db8::4'),
  'both4.test A': a('198.51.100.4'),
  'both4.test AAAA': aaaa('2001:db8::4'),
  'bothp.test A': a('198.51.100.4'),
  'bothp.test AAAA': aaaa('2001:db8::4'),
  'prio.test MX': mx([10, 'a.test'], [20, 'both.test'], [5, 'c.test']),
  'prio2.test MX': mx([10, 'a.test'], [20, 'c.test']),
  'onlya.test A': a('198.51.100.5'),
  'local.test A': a('127.0.0.1'),
  'selfmx.test MX': mx([10, 'local.test'], [20, 'a.test']),
  'selfonly.test A': a('127.0.0.1'),
  'selfsend.test MX': mx([10, 'local.test'], [20, 'a.test']),
  'secondary.test MX': mx([10, 'a.test'], [20, 'local.test'], [30, 'b.test']),
  'secondary2.test MX': mx([10, 'a.test'], [20, 'local.test'], [30, 'b.test']),
  'samepref.test MX': mx([10, 'a.test'], [20, 'local.test'], [20, 'b.test']),
  'treated.test A': a('198.51.100.66'),
  'treatedmx.test MX': mx([10, 'a.test'], [20, 'treated.test'], [30, 'b.test']),
  'null.test MX': mx([0, '.']),
  'nullcrm.test MX': mx([0, '.']),
  'nullmore.test MX': mx([0, '.'], [10, 'a.test']),
  'needmx.test MX': mx([10, 'a.test']),
  'mxservfail.test MX': 'servfail',
  'mxservfail.test A': a('198.51.100.6'),
  'servfail.test': 'servfail',
  'refused.test': 'refused',
  'passtime.test': 'servfail',
  'mxnx.test MX': mx([10, 'nx.test']),
  'mxsomenx.test MX': mx([10, 'nx.test'], [20, 'a.test']),
  'mxagain.test MX': mx([10, 'servfail.test']),
  'mxsomeagain.test MX': mx([10, 'servfail.test'], [20, 'a.test']),
  'mxip.test MX': mx([10, '198.51.100.9']),
  'mxsomeip.test MX': mx([10, '198.51.100.9'], [20, 'a.test']),
  'mxcname.test MX': mx([10, 'alias.test']),
  'alias.test A': [
    { type: 'CNAME', data: 'a.test' },
    { type: 'A', data: '198.51.100.1', name: 'a.test' },
  ],
  'alias.test AAAA': [{ type: 'CNAME', data: 'a.test' }],
  'aliasmx.test MX': [
    { type: 'CNAME', data: 'b.test' },
    { type: 'MX', data: { preference: 10, exchange: 'b1.test' }, name: 'b.test' },
  ],
  'ignored.test A': a('203.0.113.1'),
  'partignored.test MX': mx([10, 'ignored.test'], [20, 'a.test']),
  '_smtp._tcp.srv.test SRV': [srv(10, 0, 2525, 'a.test'), srv(20, 0, 25, 'c.test')],
  '_smtp._tcp.srvnull.test SRV': [srv(0, 0, 0, '.')],
  'srvnone.test MX': mx([10, 'a.test']),
  'wide.a.b.wtest MX': mx([10, 'a.test']),
  'short.search.test MX': mx([10, 'a.test']),
  'big.test MX': mx(...Array.from({ length: 12 }, (_, i) => [i * 10, `h${i}.big.test`] as const)),
  ...Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`h${i}.big.test A`, a(`198.51.100.${100 + i}`)]),
  ),
}

export const dnsAddresses: readonly string[] = [
  ...['man', 'manmx', 'manselfmx', 'manselfmx1', 'managain', 'managainpass', 'hffail', 'hfdecline', 'hfpass'],
  ...['hfignore', 'hfallignored', 'hfallfail', 'hfalldecline', 'mannull', 'manipv4', 'manipv4p'],
]
  .map((name) => `x@${name}.example`)
  .concat(
    [
      ...[
        'a',
        'b',
        'both',
        'both4',
        'bothp',
        'prio',
        'prio2',
        'onlya',
        'selfmx',
        'selfonly',
        'selfsend',
        'secondary',
      ],
      ...[
        'secondary2',
        'samepref',
        'treated',
        'treatedmx',
        'null',
        'nullmore',
        'nullcrm',
        'needmx',
        'mxservfail',
        'servfail',
      ],
      ...[
        'refused',
        'passtime',
        'mxnx',
        'mxsomenx',
        'mxagain',
        'mxsomeagain',
        'mxip',
        'mxsomeip',
        'mxcname',
        'alias',
      ],
      ...[
        'aliasmx',
        'ignored',
        'partignored',
        'srv',
        'srvnull',
        'srvnone',
        'nx',
        'nxdefer',
        'big',
        'no-such',
      ],
    ].map((name) => `x@${name}.test`),
  )
  .concat([
    'x@wide',
    'x@short',
    'x@long',
    'x@[127.0.0.1]',
    'x@[198.51.100.7]',
    'x@[198.51.100.8]',
    'x@[IPv6:2001:db8::7]',
    'X@A.TEST',
  ])
