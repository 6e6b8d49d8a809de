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

const usual: Zone = {
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

const usualAddresses: readonly string[] = [
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

const unset = '${if eq{1}{2}{x}fail}'
const lists = ['*', '! *', '', '${lc', unset, '${if eq{1}{2}{x}}', '+none', '^.*\\.test']
const truths = [
  'yes',
  'true',
  '1',
  'no',
  'false',
  '0',
  '',
  '${lc',
  unset,
  'bogus',
  '2',
  '-1',
  ' yes ',
  'YES',
  '$domain',
]

/** Options of a router of its own, on names of the zone above. */
const optionRows: readonly (readonly [option: string, names: readonly string[]])[] = [
  ...truths.map((value) => [`ipv4_only = ${value}`, ['both4']] as const),
  ...truths.map((value) => [`ipv4_prefer = ${value}`, ['both4']] as const),
  ...['smtp', '', '${lc', unset, 'smtp.x', '$domain', 'SMTP'].map(
    (value) => [`check_srv = ${value}`, ['srv', 'srvnull', 'srvnone', 'onlya', 'srvservfail']] as const,
  ),
  ...lists.map(
    (list) => [`check_srv = smtp\n  srv_fail_domains = ${list}`, ['srvservfail', 'srvnone']] as const,
  ),
  ['check_srv = smtp\n  mx_domains = *', ['srv', 'onlya', 'srvnull']],
  ['check_srv = smtp\n  check_secondary_mx', ['srv', 'srvself', 'srvnone']],
  ['check_srv = smtp', ['srvnx', 'srvip', 'srvself', 'srvagain', 'srvport0', 'srvcname']],
  ...lists.map((list) => [`mx_domains = ${list}`, ['onlya', 'prio', 'nx']] as const),
  ...lists.map((list) => [`mx_fail_domains = ${list}`, ['mxservfail', 'servfail', 'prio']] as const),
  ...lists.map(
    (list) =>
      [`fail_defer_domains = ${list}`, ['nx', 'mxnx', 'null', 'mxip', 'servfail', 'ignored']] as const,
  ),
  ...lists.map((list) => [`dnssec_request_domains = ${list}`, ['secure', 'prio']] as const),
  ...lists.map(
    (list) => [`dnssec_require_domains = ${list}`, ['secure', 'prio', 'securemx', 'onlya', 'nx']] as const,
  ),
  ...[
    ...lists,
    '127.0.0.0/8',
    '198.51.100.0/24',
    '198.51.100.1',
    '<; 2001:db8::/32',
    '2001:db8::4',
    '0.0.0.0/0',
    '198.51.100.0/33',
    '198.51.100.0/x',
    '198.51.100',
    'a.test',
    '*.test',
    '! 198.51.100.1 : 198.51.100.0/24',
    '@[]',
    '@',
    '${if eq{$host_address}{198.51.100.1}{198.51.100.1}}',
    '${if eq{$host}{a.test}{*}}',
  ].map((list) => [`ignore_target_hosts = ${list}`, ['prio', 'both', 'onlya', 'mxsomenx']] as const),
  ...['defer', 'fail', 'freeze', 'pass', 'send', 'reroute: a.test', 'reroute: rewrite: a.test'].map(
    (self) => [`self = ${self}`, ['selfmx', 'selfonly', 'secondary', 'treatedmx', 'onlya']] as const,
  ),
  ['check_secondary_mx', ['prio', 'onlya', 'secondary', 'selfmx', 'samepref', 'selfonly', 'nx', 'null']],
  ['check_secondary_mx\n  self = send', ['selfmx', 'secondary', 'prio']],
  ['pass_on_timeout', ['servfail', 'mxservfail', 'mxagain', 'mxsomeagain', 'nx']],
  ['no_more', ['nx', 'null', 'servfail', 'mxnx', 'mxip', 'selfmx']],
  ...['text $domain', '${lc', unset, ''].map(
    (text) => [`no_more\n  cannot_route_message = ${text}`, ['nx', 'null', 'mxnx']] as const,
  ),
  ['widen_domains = x.test : : y.test', ['nx', 'onlya']],
  ['widen_domains =', ['nx']],
  ['same_domain_copy_routing', ['prio', 'nx']],
  ['address_data = ${lc', ['prio']],
  [`address_data = ${unset}`, ['prio']],
  ['fallback_hosts = a.test : b.test::26', ['prio', 'nx']],
  ['fallback_hosts = +', ['prio']],
]

/** A router for each row; its names end in `.oN.test`. */
export const optionRouters: string = optionRows
  .map(
    ([option], i) => `o${i}:
  driver = dnslookup
  domains = *.o${i}.test
  transport = smtp
  ${option}

`,
  )
  .join('')

const more: Zone = {
  '_smtp._tcp.srvservfail.test SRV': 'servfail',
  'srvservfail.test MX': mx([10, 'a.test']),
  '_smtp._tcp.srvnx.test SRV': [srv(10, 0, 25, 'nx.test')],
  '_smtp._tcp.srvip.test SRV': [srv(10, 0, 25, '198.51.100.9')],
  '_smtp._tcp.srvself.test SRV': [srv(10, 0, 25, 'a.test'), srv(20, 0, 26, 'local.test')],
  '_smtp._tcp.srvagain.test SRV': [srv(10, 0, 25, 'servfail.test'), srv(20, 0, 26, 'a.test')],
  '_smtp._tcp.srvport0.test SRV': [srv(10, 0, 0, 'a.test')],
  '_smtp._tcp.srvcname.test SRV': [srv(10, 0, 27, 'alias.test')],
  'secure.test MX': { secure: mx([10, 'secure-a.test']) },
  'secure-a.test A': { secure: a('198.51.100.30') },
  'securemx.test MX': { secure: mx([10, 'a.test']) },
}

function copies(from: Zone): Zone {
  const found: Record<string, Zone[string]> = {}
  for (const [i, [, names]] of optionRows.entries()) {
    for (const name of names) {
      for (const [key, script] of Object.entries(from)) {
        const match = /^((?:_smtp\._tcp\.)?)([\w-]+)\.test((?: \w+)?)$/.exec(key)
        if (match?.[2] === name) found[`${match[1]}${name}.o${i}.test${match[3]}`] = script
      }
    }
  }
  return found
}

export const zone: Zone = { ...usual, ...more, ...copies({ ...usual, ...more }) }

export const dnsAddresses: readonly string[] = [
  ...usualAddresses,
  ...optionRows.flatMap(([, names], i) => names.map((name) => `x@${name}.o${i}.test`)),
]

/** What the router of an address is about. */
export function optionOf(address: string): string {
  const number = /\.o(\d+)\.test$/.exec(address)?.[1]
  return number === undefined ? '' : ` ${optionRows[Number(number)]?.[0] ?? ''}`
}
