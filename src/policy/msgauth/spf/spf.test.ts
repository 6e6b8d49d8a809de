/** Pieces of SPF, one fact a row: macros, records, limits, the words about a result. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { parseIp } from '../../../base/ip.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import type { DnsAnswer, DnsRecord } from '../../../ports.ts'
import { checkHost } from './check-host.ts'
import { headerComment, receivedHeader } from './header.ts'
import { expandDomain, expandText, parseDomainSpec, parseMacroString } from './macro.ts'
import { asciiDomain, isAskable } from './names.ts'
import { parseRecord } from './record.ts'
import type { AskDns, SpfQuery, SpfResult } from './result.ts'
import { Walk } from './walk.ts'

const ip4 = parseIp('192.0.2.3') ?? assert.fail()
const ip6 = parseIp('2001:db8::cb01') ?? assert.fail()
const query: SpfQuery = {
  ip: ip4,
  domain: 'email.example.com',
  sender: 'strong-bad@email.example.com',
  helo: 'mx.example.org',
  receiver: 'mail.receiver.example',
  now: 1_000_999,
}

/** `name TYPE` to strings, or to what goes wrong; the rest does not exist. */
type Zone = Readonly<Record<string, readonly string[] | 'again' | 'never'>>

function dnsOf(zone: Zone, asked: string[] = []): AskDns {
  return (name, type) => {
    asked.push(`${name} ${type}`)
    const data = zone[`${name} ${type}`]
    if (data === 'never') return new Promise(() => undefined)
    const head = { name, ttl: 60 }
    const records = (Array.isArray(data) ? data : []).map((value: string): DnsRecord => {
      if (type === 'TXT') return { ...head, type, strings: [value] }
      if (type === 'MX') return { ...head, type, preference: 1, exchange: value }
      return { ...head, type: type === 'PTR' ? 'PTR' : 'A', value }
    })
    const status = data === 'again' ? 'again' : data === undefined ? 'nxdomain' : 'found'
    const answer: DnsAnswer = { status, records, authenticated: false, canonicalName: name }
    return Promise.resolve(answer)
  }
}

const check = (zone: Zone, more: Partial<SpfQuery> = {}, asked?: string[]): Promise<SpfResult> =>
  checkHost({ ...query, ...more }, dnsOf(zone, asked))

// RFC 7208 section 7.4, the table of examples.
const macros: readonly (readonly [text: string, value: string, ip?: typeof ip4])[] = [
  ['%{s}', 'strong-bad@email.example.com'],
  ['%{o}', 'email.example.com'],
  ['%{d}', 'email.example.com'],
  ['%{d4}', 'email.example.com'],
  ['%{d3}', 'email.example.com'],
  ['%{d2}', 'example.com'],
  ['%{d1}', 'com'],
  ['%{dr}', 'com.example.email'],
  ['%{d2r}', 'example.email'],
  ['%{l}', 'strong-bad'],
  ['%{l-}', 'strong.bad'],
  ['%{lr}', 'strong-bad'],
  ['%{lr-}', 'bad.strong'],
  ['%{l1r-}', 'strong'],
  ['%{ir}.%{v}._spf.%{d2}', '3.2.0.192.in-addr._spf.example.com'],
  ['%{lr-}.lp._spf.%{d2}', 'bad.strong.lp._spf.example.com'],
  ['%{lr-}.lp.%{ir}.%{v}._spf.%{d2}', 'bad.strong.lp.3.2.0.192.in-addr._spf.example.com'],
  ['%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}', '3.2.0.192.in-addr.strong.lp._spf.example.com'],
  ['%{d2}.trusted-domains.example.net', 'example.com.trusted-domains.example.net'],
  [
    '%{ir}.%{v}._spf.%{d2}',
    '1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com',
    ip6,
  ],
  ['%{S}', 'strong-bad%40email.example.com'],
  ['%%%_%-%{c}|%{r}|%{t}', '% %20192.0.2.3|mail.receiver.example|1000'],
  ['%{c}', '2001:db8::cb01', ip6],
]
for (const [text, value, ip] of macros) {
  test(`macro ${text} gives ${value}`, () => {
    const walk = new Walk({ ...query, ip: ip ?? ip4 }, dnsOf({}))
    walk.end()
    const parts = parseMacroString(text, 'text')
    assert.ok(!('problem' in parts))
    assert.equal(
      expandText(parts, (letter) => walk.valueOf(letter, query.domain, 'unknown'), 1000),
      value,
    )
  })
}

test('macros that are none are refused', () => {
  for (const text of [
    '%',
    '%{',
    '%{}',
    '%{z}',
    '%{d0}',
    '%{dx}',
    '%a',
    '%{c}',
    '%{r}',
    '%{t}',
    'a b',
    'a\x7f',
  ]) {
    assert.ok('problem' in parseMacroString(text, 'domain'), text)
  }
})

test('a domain-spec ends with a macro or a top label', () => {
  for (const text of ['a.b', 'a.b.', 'a.x--1', '%{d}', 'x.%{d2}', 'a.%%', 'a_b.c', 'a:b/c.d'])
    assert.ok(!('problem' in parseDomainSpec(text)), text)
  for (const text of ['', 'a', 'a.', 'a.1', 'a.-b', 'a.b-', '%{d}a', 'a.b..', 'a.b/24', '.'])
    assert.ok('problem' in parseDomainSpec(text), text)
})

test('an expanded name never passes 253 bytes, and a bomb of macros costs little', () => {
  const parts = parseDomainSpec(`${'%{d}.'.repeat(3000)}%{d}`)
  assert.ok(!('problem' in parts))
  // The time of this process alone: the machine may be busy.
  const start = process.cpuUsage()
  const name = expandDomain(parts, () => `${'a'.repeat(60)}.example`.repeat(3))
  assert.ok(name.length <= 253)
  assert.ok(process.cpuUsage(start).user < 500_000)
})

const records: readonly (readonly [text: string, problem: string | undefined])[] = [
  ['v=spf1', undefined],
  ['v=spf1 A MX/24//64 PTR:x.y +all', undefined],
  ['v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 x-y_z.1=%{d}', undefined],
  ['v=spf1 all/8', 'all takes no argument in "all/8"'],
  ['v=spf1 all:x.y', 'all takes no argument in "all:x.y"'],
  ['v=spf1 ip4:192.0.2.0/33', 'prefix length too large in "ip4:192.0.2.0/33"'],
  ['v=spf1 ip4:2001:db8::1', 'not an IPv4 network in "ip4:2001:db8::1"'],
  ['v=spf1 ip6:192.0.2.1', 'not an IPv6 network in "ip6:192.0.2.1"'],
  ['v=spf1 ipv4:192.0.2.1', 'unknown mechanism "ipv4:192.0.2.1"'],
  ['v=spf1 -all redirect=a.b redirect=a.b', 'redirect= stands twice'],
  ['v=spf1 exp=a.b EXP=a.b', 'exp= stands twice'],
  ['v=spf1 a:x.y\tall', 'character in the record that may not be there'],
  ['v=spf1 --all', '"--all" is no mechanism'],
  [`v=spf1 ${'a '.repeat(10_000)}`, 'record too long'],
]
for (const [text, problem] of records) {
  test(`record ${text.slice(0, 60)}: ${problem ?? 'good'}`, () => {
    const record = parseRecord(text)
    assert.equal('problem' in record ? record.problem : undefined, problem)
  })
}

test('names worth asking for', () => {
  for (const name of ['a.b', 'x y.b', 'foo:bar/baz.example']) assert.ok(isAskable(name), name)
  for (const name of ['', 'a', '[1.2.3.4]', 'a..b', '.a', 'a.', `${'x'.repeat(64)}.b`, 'a\n.b', '\xe4.b'])
    assert.ok(!isAskable(name), name)
  assert.equal(asciiDomain(encodeUtf8('bücher.example.')), 'xn--bcher-kva.example')
})

const domain = 'email.example.com TXT'

test('an internationalized domain is asked for in its ASCII form', async () => {
  const result = await check(
    {
      'xn--bcher-kva.example TXT': ['v=spf1 exists:%{d}.x.test -all'],
      'xn--bcher-kva.example.x.test A': ['127.0.0.2'],
    },
    { domain: encodeUtf8('bücher.example'), sender: encodeUtf8('a@bücher.example') },
  )
  assert.equal(result.result, 'pass')
})

test('RFC 8616 section 4: a term with an internationalized local part never matches', async () => {
  const asked: string[] = []
  const zone = { [domain]: ['v=spf1 exists:%{l}.x.test ~exists:%{s}.x.test ?all'] }
  const result = await check(zone, { sender: encodeUtf8('jörg@email.example.com') }, asked)
  assert.deepEqual(result, { result: 'neutral', mechanism: 'all' })
  assert.deepEqual(asked, [domain])
})

test('%{p} asks for at most ten names, once, and is unknown without any', async () => {
  const asked: string[] = []
  const pointers = Array.from({ length: 200 }, (_, i) => `h${i}.test`)
  const zone = {
    [domain]: ['v=spf1 exists:%{p}.a.test exists:%{p}.b.test exists:unknown.%{p}.c.test ptr -all'],
    '3.2.0.192.in-addr.arpa PTR': pointers,
    'unknown.unknown.c.test A': ['127.0.0.2'],
  }
  // Two void lookups are allowed; the third question has an answer.
  assert.equal((await check(zone, {}, asked)).result, 'pass')
  assert.equal(asked.filter((each) => /^h\d+\.test A$/.test(each)).length, 10)
  assert.equal(asked.filter((each) => each.endsWith(' PTR')).length, 1)
})

test('limits: eleven terms, three void lookups, eleven exchanges; exchanges without address count once', async () => {
  const include = (n: number): Zone =>
    Object.fromEntries(
      Array.from({ length: n }, (_, i) => [
        i === 0 ? domain : `i${i}.test TXT`,
        [`v=spf1 ${i + 1 < n ? `include:i${i + 1}.test` : '+all'}`],
      ]),
    )
  assert.equal((await check(include(11))).result, 'pass')
  assert.equal((await check(include(12))).result, 'permerror')
  const voids = (n: number): Zone => ({
    [domain]: [`v=spf1 ${Array.from({ length: n }, (_, i) => `a:v${i}.test`).join(' ')} ?all`],
  })
  assert.equal((await check(voids(2))).result, 'neutral')
  assert.equal((await check(voids(3))).result, 'permerror')
  const exchanges = (n: number): Zone => ({
    [domain]: ['v=spf1 mx ?all'],
    'email.example.com MX': Array.from({ length: n }, (_, i) => `m${i}.test`),
  })
  assert.equal((await check(exchanges(10))).result, 'neutral')
  assert.equal((await check(exchanges(11))).result, 'permerror')
})

test('the whole check ends in time, wherever the DNS says nothing', async () => {
  const silent: readonly Zone[] = [
    { [domain]: 'never' },
    { [domain]: ['v=spf1 a -all'], 'email.example.com A': 'never' },
    { [domain]: ['v=spf1 exists:%{p}.test -all'], '3.2.0.192.in-addr.arpa PTR': 'never' },
    { [domain]: ['v=spf1 include:x.test -all'], 'x.test TXT': 'never' },
  ]
  const results = await Promise.all(silent.map((zone) => check(zone, { limitMs: 50 })))
  assert.deepEqual(
    results.map(({ result }) => result),
    ['temperror', 'temperror', 'temperror', 'temperror'],
  )
  // An explanation that does not come costs the explanation alone.
  const late = await check({ [domain]: ['v=spf1 -all exp=x.test'], 'x.test TXT': 'never' }, { limitMs: 50 })
  assert.deepEqual(late, { result: 'fail', mechanism: 'all', explanation: undefined })
})

test('random records and macros end with a result', async () => {
  const pieces = [
    'a',
    'mx',
    'ptr',
    'all',
    'include:',
    'exists:',
    '%{',
    '}',
    'd',
    '2r',
    ':',
    '/',
    '24',
    ' ',
    '=',
    '.',
    'x',
    '-',
    '~',
    'ip4:1.2.3.4',
    '%',
    '\0',
    '\xff',
  ]
  let seed = 7
  const random = (limit: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed % limit
  }
  for (let i = 0; i < 2000; i++) {
    const text = Array.from({ length: random(30) }, () => pieces[random(pieces.length)] ?? '').join('')
    const { result } = await check({ [domain]: [`v=spf1 ${text}`] })
    assert.match(result, /^(?:none|neutral|pass|fail|softfail|temperror|permerror)$/)
  }
})

test('the header is one line of lawful length with quoted values, whatever strangers say', () => {
  const told = {
    result: { result: 'permerror', problem: 'a "quote" \\ and\r\nX-Evil: line' },
    identity: 'helo',
    domain: `(x)${'y'.repeat(5000)}`,
    sender: `"a b"@${'y'.repeat(5000)}`,
    helo: `evil\r\nname${'z'.repeat(5000)}`,
    ip: '2001:db8::1',
    receiver: 'mx.test',
  } as const
  const header = receivedHeader(told)
  assert.match(
    header,
    /^Received-SPF: permerror \(mx\.test: error in processing during lookup of domain of \\\(x\\\)y+/,
  )
  assert.match(header, / client-ip="2001:db8::1"; envelope-from="\\"a b\\"@y+\.\.\."; helo="evil\?\?name/)
  assert.match(header, /problem="a \\"quote\\" \\\\ and\?\?X-Evil: line";$/)
  assert.ok(header.length <= 998 && /^[\x20-\x7e]+$/.test(header + headerComment(told)))
})

test('the header names an internationalized domain as it was asked for', () => {
  const header = receivedHeader({
    result: { result: 'pass', mechanism: 'all' },
    identity: 'mfrom',
    domain: 'xn--bcher-kva.test',
    sender: encodeUtf8('a@b\u00fccher.test'),
    helo: encodeUtf8('mail.b\u00fccher.test'),
    ip: '192.0.2.1',
    receiver: 'mx.test',
  })
  assert.match(header, / envelope-from="a@xn--bcher-kva\.test"; helo=mail\.xn--bcher-kva\.test;/)
})
