import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { policyBench, type World } from '../../../test/support/policy-world.ts'
import { textOf } from '../../base/text.ts'
import type { AclPlace, AclResult, DnsAnswer } from '../../ports.ts'

interface Case {
  readonly says: string
  /** Statements of one ACL. */
  readonly acl: string
  readonly place?: AclPlace
  readonly world?: World
  readonly verdict: AclResult['verdict']
  readonly user?: string
  readonly log?: string
}

function run(c: Case, world: World = {}): Promise<AclResult> | AclResult {
  const bench = policyBench({ ...world, ...c.world, acls: `t:\n${c.acl}` })
  return bench.runAcl('t', c.place ?? 'rcpt', bench.context)
}

function table(name: string, cases: readonly Case[], world: World = {}): void {
  for (const c of cases) {
    test(`${name}: ${c.says}`, async () => {
      const result = await run(c, world)
      assert.equal(result.verdict, c.verdict, JSON.stringify(result))
      if (c.user !== undefined) assert.equal(result.userMessage, c.user)
      if (c.log !== undefined) assert.equal(result.logMessage, c.log)
    })
  }
}

const wrongPlace = (acl: string, place: AclPlace, log: string): Case => ({
  says: `"${acl}" at ${place} is an error`,
  acl,
  place,
  verdict: 'error',
  log,
})

table('places (Exim 4.96)', [
  wrongPlace('accept senders = x', 'connect', 'cannot test senders condition in connection ACL'),
  wrongPlace('accept sender_domains = x', 'helo', 'cannot test sender_domains condition in EHLO or HELO ACL'),
  wrongPlace('accept add_header = x', 'connect', 'cannot use add_header condition in connection ACL'),
  wrongPlace('accept remove_header = x', 'connect', 'cannot use remove_header condition in connection ACL'),
  wrongPlace('deny authenticated = *', 'connect', 'cannot test authenticated condition in connection ACL'),
  wrongPlace('accept control = freeze', 'connect', 'cannot use "control=freeze" in connection ACL'),
  wrongPlace(
    'accept control = caseful_local_part',
    'notquit',
    'cannot use "control=caseful_local_part" in NOTQUIT ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'vrfy',
    'cannot use "control=caseful_local_part" in VRFY ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'expn',
    'cannot use "control=caseful_local_part" in EXPN ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'etrn',
    'cannot use "control=caseful_local_part" in ETRN ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'helo',
    'cannot use "control=caseful_local_part" in EHLO or HELO ACL',
  ),
  wrongPlace('accept verify = sender', 'connect', 'cannot verify sender in ACL for connection'),
  wrongPlace('accept verify = recipient', 'connect', 'cannot verify recipient in ACL for connection'),
  wrongPlace('accept verify = header_sender', 'connect', 'cannot verify header_sender in ACL for connection'),
  wrongPlace(
    'deny verify = header_names_ascii',
    'connect',
    'cannot verify header_names_ascii in ACL for connection',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'mail',
    'cannot use "control=caseful_local_part" in MAIL ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'predata',
    'cannot use "control=caseful_local_part" in PREDATA ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'starttls',
    'cannot use "control=caseful_local_part" in STARTTLS ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'mailauth',
    'cannot use "control=caseful_local_part" in MAILAUTH ACL',
  ),
  wrongPlace(
    'accept control = caseful_local_part',
    'notsmtp',
    'cannot use "control=caseful_local_part" in non-SMTP ACL',
  ),
  wrongPlace('accept domains = x', 'data', 'cannot test domains condition in DATA ACL'),
  wrongPlace('accept queue = x', 'data', 'cannot use queue condition in DATA ACL'),
])

table('discard', [
  { says: 'is no answer to a connection', acl: 'discard', place: 'connect', verdict: 'error' },
  { says: 'works at MAIL', acl: 'discard', place: 'mail', verdict: 'discard' },
  {
    says: 'works after DATA',
    acl: 'discard log_message = why',
    place: 'data',
    verdict: 'discard',
    log: 'why',
  },
])

const listed = (...values: string[]): Partial<DnsAnswer> => ({
  records: values.map((value) => ({ type: 'A', name: 'x', ttl: 60, value })),
})
const text = (value: string): Partial<DnsAnswer> => ({
  records: [{ type: 'TXT', name: 'x', ttl: 60, strings: [value] }],
})
const dns: World['dns'] = {
  '1.2.0.192.one.example A': listed('127.0.0.2'),
  '1.2.0.192.one.example TXT': text('go away'),
  '1.2.0.192.two.example A': listed('127.0.0.1', '127.0.0.2'),
  '1.2.0.192.odd.example A': listed('127.0.0.3'),
  '1.2.0.192.sold.example A': listed('203.0.113.1'),
  '1.2.0.192.late.example A': { status: 'again' },
  'a.example.names.example A': listed('127.0.0.4'),
  '3.2.1.10.one.example A': listed('127.0.0.2'),
  'b.names.example A': listed('127.0.0.4'),
  'late.names.example A': { status: 'again' },
  '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.one.example A': listed('127.0.0.2'),
}
const shown = 'message = $dnslist_domain|$dnslist_matched|$dnslist_value|$dnslist_text'
const dnsCases: readonly (readonly [list: string, verdict: AclResult['verdict'], user?: string])[] = [
  ['one.example', 'deny', 'one.example|192.0.2.1|127.0.0.2|go away'],
  ['none.example', 'accept'],
  ['none.example : one.example', 'deny', 'one.example|192.0.2.1|127.0.0.2|go away'],
  ['two.example', 'deny', 'two.example|192.0.2.1|127.0.0.1, 127.0.0.2|'],
  ['sold.example', 'accept'],
  ['one.example=127.0.0.2', 'deny'],
  ['one.example=127.0.0.3', 'accept'],
  ['one.example=127.0.0.3,127.0.0.2', 'deny'],
  ['one.example!=127.0.0.2', 'accept'],
  ['one.example!=127.0.0.3,127.0.0.4', 'deny'],
  ['none.example!=127.0.0.3', 'accept'],
  ['odd.example&0.0.0.3', 'deny'],
  ['one.example&0.0.0.3', 'accept'],
  ['one.example&0.0.0.1,0.0.0.2', 'deny'],
  ['one.example!&0.0.0.1', 'deny'],
  ['odd.example!&0.0.0.1', 'accept'],
  ['two.example=127.0.0.1', 'deny'],
  ['two.example==127.0.0.1', 'accept'],
  ['two.example==127.0.0.1,127.0.0.2', 'deny'],
  ['two.example!=127.0.0.1', 'accept'],
  ['two.example!==127.0.0.1', 'deny'],
  ['two.example!&0.0.0.1', 'accept'],
  ['two.example!=&0.0.0.1', 'deny'],
  ['two.example!=&0.0.0.1,0.0.0.2', 'accept'],
  ['two.example=&0.0.0.1', 'accept'],
  ['names.example/$domain', 'deny', 'names.example|a.example|127.0.0.4|'],
  ['one.example/10.1.2.3', 'deny', 'one.example|10.1.2.3|127.0.0.2|'],
  ['names.example/<;a;b', 'deny', 'names.example|b|127.0.0.4|'],
  ['names.example/a::b', 'deny', 'names.example|b|127.0.0.4|'],
  ['names.example=127.0.0.4/b', 'deny'],
  ['names.example=127.0.0.5/b', 'accept'],
  ['names.example/', 'accept'],
  ['one.example,two.example=127.0.0.1', 'deny', 'one.example|192.0.2.1|127.0.0.2|go away'],
  ['none.example,two.example=127.0.0.1', 'accept'],
  ['one.example,two.example=127.0.0.9', 'accept'],
  ['late.example', 'accept'],
  ['late.example : one.example', 'deny'],
  ['+include_unknown : late.example', 'deny', 'late.example|||'],
  ['+defer_unknown : late.example', 'defer'],
  ['+defer_unknown : +exclude_unknown : late.example', 'accept'],
  ['+defer_unknown : names.example/<;late;b', 'deny'],
  ['<; 2001:db8::1 ; one.example/<|2001:db8::1', 'deny', 'one.example|2001:db8::1|127.0.0.2|'],
  ['', 'accept'],
]
table(
  'dnslists',
  dnsCases.map(([list, verdict, user]) => ({
    says: `${list} gives ${verdict}`,
    acl: `deny ${shown}\n dnslists = ${list}\naccept`,
    verdict,
    ...(user === undefined ? {} : { user }),
  })),
  { dns },
)

test('dnslists: one question a name and connection', async () => {
  const bench = policyBench({
    dns,
    acls: 't:\nwarn dnslists = one.example\ndeny dnslists = one.example=127.0.0.9 : one.example=127.0.0.2',
  })
  assert.equal((await bench.runAcl('t', 'rcpt', bench.context)).verdict, 'deny')
  assert.equal(bench.dnsAsked.filter((asked) => asked === '1.2.0.192.one.example A').length, 1)
})

test('dnslists: a signs mistake is logged, a failing list too', async () => {
  const bench = policyBench({ dns, acls: 't:\naccept dnslists = +foo : !x : late.example\naccept' })
  await bench.runAcl('t', 'rcpt', bench.context)
  assert.deepEqual(bench.log, [
    'panic: unknown item in dnslist (ignored): +foo',
    'main: dnslists domain "!x" contains strange characters - is this right?',
    'main: DNS list lookup defer (probably timeout) for 1.2.0.192.late.example: assumed not in list',
  ])
})

/** Runs one ACL again and again, some seconds later each time. */
async function sequence(
  acl: string,
  steps: readonly (readonly [afterSeconds: number, rcpt: string])[],
): Promise<string[]> {
  let now = 1_700_000_000_000
  const bench = policyBench({ acls: `t:\n${acl}`, now: () => now })
  const results: string[] = []
  for (const [seconds, rcpt] of steps) {
    now += seconds * 1000
    const [localPart = '', domain = ''] = rcpt.split('@')
    const message = { ...(bench.context.message ?? assert.fail()), extra: new Map() }
    const result = await bench.runAcl('t', 'rcpt', {
      ...bench.context,
      message,
      address: { localPart, domain },
    })
    results.push(`${result.verdict} ${result.userMessage ?? ''}`.trim())
  }
  return results
}

const rates: readonly (readonly [
  says: string,
  acl: string,
  steps: readonly (readonly [number, string])[],
  results: readonly string[],
])[] = [
  [
    'events at one moment add up',
    'deny ratelimit = 2.9/1h/strict\n message = $sender_rate\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
      [0, 'a@b'],
      [0, 'a@b'],
    ],
    ['accept 1.0', 'accept 2.0', 'deny 3.0', 'deny 4.0'],
  ],
  [
    'a moment later a rate that stood at its limit is below it',
    'deny ratelimit = 2/1h/strict\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
    ],
    ['accept 1.0', 'accept 2.0'],
  ],
  [
    'leaky does not store what is over',
    'deny ratelimit = 2.9/1h\n message = $sender_rate\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
      [0, 'a@b'],
      [0, 'a@b'],
    ],
    ['accept 1.0', 'accept 2.0', 'deny 3.0', 'deny 3.0'],
  ],
  [
    'a period later a rate is down to 1/e',
    'deny ratelimit = 9/1h/strict\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [3600, 'a@b'],
    ],
    ['accept 1.0', 'accept 1.0'],
  ],
  [
    'readonly looks only',
    'deny ratelimit = 1/1h/readonly\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
    ],
    ['accept 0.0', 'accept 0.0'],
  ],
  [
    'per_addr counts each recipient once',
    'deny ratelimit = 9/1h/per_addr/strict\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
      [0, 'c@d'],
    ],
    ['accept 1.0', 'accept 1.0', 'accept 2.0'],
  ],
  [
    'unique= counts different texts',
    'deny ratelimit = 9/1h/per_rcpt/unique=$domain\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'c@b'],
      [0, 'c@d'],
    ],
    ['accept 1.0', 'accept 1.0', 'accept 2.0'],
  ],
  [
    'count= adds more',
    'deny ratelimit = 9/1h/count=2.5/strict\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
    ],
    ['accept 2.5', 'accept 5.0'],
  ],
  [
    'a key of its own',
    'deny ratelimit = 1.9/1h/strict/$local_part\naccept message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'c@b'],
      [0, 'a@b'],
    ],
    ['accept 1.0', 'accept 1.0', 'deny'],
  ],
  [
    'the same condition counts once a command',
    'warn ratelimit = 9/1h/per_rcpt/strict\naccept ratelimit = 0/1h/per_rcpt/strict\n message = $sender_rate',
    [
      [0, 'a@b'],
      [0, 'a@b'],
    ],
    ['accept 1.0', 'accept 2.0'],
  ],
  [
    'seen: not at first, then within the interval',
    'accept seen = 5m',
    [
      [0, 'a@b'],
      [60, 'a@b'],
      [301, 'a@b'],
    ],
    ['deny', 'accept', 'deny'],
  ],
  [
    'seen with a minus: greylisting',
    'defer !seen = -5m/key=$local_part\naccept',
    [
      [0, 'a@b'],
      [60, 'a@b'],
      [300, 'a@b'],
      [0, 'c@b'],
    ],
    ['defer', 'defer', 'accept', 'defer'],
  ],
  [
    'seen: write always renews',
    'accept seen = -5m/write',
    [
      [0, 'a@b'],
      [200, 'a@b'],
      [200, 'a@b'],
      [301, 'a@b'],
    ],
    ['deny', 'deny', 'deny', 'accept'],
  ],
  [
    'seen: readonly never writes',
    'accept seen = 5m/readonly',
    [
      [0, 'a@b'],
      [1, 'a@b'],
    ],
    ['deny', 'deny'],
  ],
  [
    'seen: an old record is renewed',
    'accept seen = -1s/refresh=10s',
    [
      [0, 'a@b'],
      [5, 'a@b'],
      [20, 'a@b'],
      [1, 'a@b'],
    ],
    ['deny', 'accept', 'accept', 'deny'],
  ],
]
test('ratelimit: without a per_ option it counts in every ACL', async () => {
  for (const place of ['connect', 'helo', 'mail', 'quit'] as const) {
    const bench = policyBench({ acls: 't:\ndeny ratelimit = 0.5/1h/strict/key\naccept' })
    assert.equal((await bench.runAcl('t', place, bench.context)).verdict, 'deny', place)
  }
})

for (const [says, acl, steps, results] of rates) {
  test(`ratelimit and seen: ${says}`, async () => assert.deepEqual(await sequence(acl, steps), results))
}

const headerCases: readonly (readonly [
  verify: string,
  headers: readonly string[],
  log: string | undefined,
])[] = [
  ['header_syntax', ['To: @'], 'domain missing or malformed: failing address in "To:" header is: @'],
  ['header_syntax', ['To: x'], 'unqualified address not permitted: failing address in "To:" header is: x'],
  ['header_syntax', ['To: undisclosed recipients:;'], undefined],
  ['header_syntax', ['Cc:'], undefined],
  ['header_syntax', ['Subject: x@'], undefined],
  ['not_blind', ['To: c@d'], 'bcc recipient detected'],
  ['not_blind', ['To: c@d, e@f'], 'bcc recipient detected'],
  ['not_blind', ['To: c@d, E@F'], undefined],
  ['not_blind/case_insensitive', ['To: c@d', 'Cc: e@f'], undefined],
  ['not_blind', ['Resent-To: c@D', 'Cc: E@f'], undefined],
  ['header_names_ascii', ['Sub\xffject: x'], 'Invalid character in header "Sub\xffject" found'],
  ['header_names_ascii', ['Subject: \xff'], undefined],
  ['header_sender', ['From: bad@b'], 'there is no valid sender in any header line'],
  ['header_sender', ['From: def@b'], 'all attempts to verify a sender in a header line deferred'],
  ['header_sender', ['From: bad@b', 'Reply-To: ok@b'], undefined],
  ['header_sender', ['From: x'], 'there is no valid sender in any header line'],
  ['header_sender', ['Subject: x'], 'there is no valid sender in any header line'],
]
for (const [item, headers, log] of headerCases) {
  test(`verify = ${item} of ${JSON.stringify(headers)} (Exim 4.96)`, async () => {
    const bench = policyBench({
      acls: `t:\nrequire verify = ${item}\naccept`,
      message: {
        headers: headers.map((line) => ({ type: ' ', text: `${line}\n` })),
        recipients: [{ address: 'c@d' }, { address: 'E@f' }],
      },
      verify: ({ address }) => ({
        is: address.startsWith('bad') ? 'fail' : address.startsWith('def') ? 'defer' : 'ok',
      }),
    })
    const result = await bench.runAcl('t', 'data', bench.context)
    assert.equal(result.logMessage, log)
    assert.equal(result.verdict, log === undefined ? 'accept' : log.includes('deferred') ? 'defer' : 'deny')
  })
}

table('verify', [
  {
    says: 'helo: the address in brackets is the client',
    acl: 'accept verify = helo',
    world: { connection: { helo: '[192.0.2.1]' } },
    verdict: 'accept',
  },
  {
    says: 'helo: another address is not',
    acl: 'accept verify = helo',
    world: { connection: { helo: '[192.0.2.2]' } },
    verdict: 'deny',
  },
  {
    says: 'helo: the name of the client',
    acl: 'accept verify = helo',
    world: { connection: { helo: 'Mail.Example' }, names: { '192.0.2.1': 'mail.example' } },
    verdict: 'accept',
  },
  {
    says: 'helo: a name that leads to the client',
    acl: 'accept verify = helo',
    world: { connection: { helo: 'mx.example' }, hosts: { 'mx.example': ['192.0.2.1'] } },
    verdict: 'accept',
  },
  {
    says: 'helo has no options',
    acl: 'accept verify = helo/x',
    verdict: 'error',
    log: 'unexpected \'/\' found in "helo/x" (this verify item has no options)',
  },
  {
    says: 'reverse_host_lookup: a name was found',
    acl: 'accept verify = reverse_host_lookup',
    world: { names: { '192.0.2.1': 'mail.example' } },
    verdict: 'accept',
  },
  {
    says: 'reverse_host_lookup: none was found',
    acl: 'require verify = reverse_host_lookup',
    verdict: 'deny',
    log: 'host lookup failed for reverse lookup check (failed to find host name from IP address)',
  },
  {
    says: 'reverse_host_lookup: try later',
    acl: 'accept verify = reverse_host_lookup',
    world: { names: { '192.0.2.1': 'again' } },
    verdict: 'defer',
  },
  {
    says: 'reverse_host_lookup/defer_ok',
    acl: 'accept verify = reverse_host_lookup/defer_ok',
    world: { names: { '192.0.2.1': 'again' } },
    verdict: 'accept',
  },
  {
    says: 'certificate: none was shown',
    acl: 'require verify = certificate',
    verdict: 'deny',
    user: 'no verified certificate',
  },
  {
    says: 'sender: the null sender needs no check',
    acl: 'accept verify = sender',
    world: { message: { sender: '' }, verify: () => ({ is: 'fail' }) },
    verdict: 'accept',
  },
  {
    says: 'sender=address checks that address, its slashes doubled',
    acl: 'accept verify = sender=a//b@c/defer_ok',
    world: {
      verify: ({ address, options }) => ({
        is: address === 'a/b@c' && options[0] === 'defer_ok' ? 'ok' : 'fail',
      }),
    },
    verdict: 'accept',
  },
  {
    says: 'local input has a host name',
    acl: 'accept verify = helo\n verify = reverse_host_lookup',
    world: { connection: { hostAddress: undefined } },
    verdict: 'accept',
  },
])

test('verify = sender is done once a message', async () => {
  let asked = 0
  const bench = policyBench({
    acls: 't:\nrequire verify = sender\nrequire verify = sender\naccept',
    verify: () => {
      asked++
      return { is: 'ok' }
    },
  })
  await bench.runAcl('t', 'rcpt', bench.context)
  assert.equal(asked, 1)
})

test('variables: lists give trusted copies, and they last', async () => {
  const bench = policyBench({
    acls: 't:\nwarn domains = *.example : A.example\n local_parts = u\n senders = s@a.example\n recipients = *@a.example\naccept message = $domain_data|$local_part_data|$sender_data|$recipient_data',
  })
  const result = await bench.runAcl('t', 'rcpt', bench.context)
  assert.equal(result.userMessage, '*.example|u|s@a.example|*@a.example')
})

test('the local part is in lower case, until a control brings its case back', async () => {
  const bench = policyBench({
    acls: 't:\nwarn set acl_m_a = $local_part\n control = caseful_local_part\n set acl_m_b = $local_part\n control = caselower_local_part\naccept message = $acl_m_a $acl_m_b $local_part',
    address: { localPart: 'BoB', domain: 'x' },
  })
  assert.equal((await bench.runAcl('t', 'rcpt', bench.context)).userMessage, 'bob BoB bob')
})

const cases4_96: readonly (readonly [rcpt: string, acl: string, user: string | undefined])[] = [
  ['BOB@A.example', 'accept recipients = Bob@a.example\n message = yes', 'yes'],
  ['BOB@A.example', 'accept recipients = +caseful : bob@a.example\n message = yes', undefined],
  ['BOB@A.example', 'accept recipients = +caseful : BOB@a.example\n message = yes', 'yes'],
  ['BOB@A.example', 'accept local_parts = +caseful : bob\n message = yes', undefined],
  ['BOB@A.example', 'accept local_parts = +caseful : BOB\n message = yes', 'yes'],
  ['BOB@A.Example', 'accept domains = a.example\n message = $domain $domain_data', 'a.example a.example'],
  ['BOB@A.Example', 'accept local_parts = ^b\n message = $local_part $local_part_data $0', 'bob ^b BOB'],
  [
    'BOB@A.Example',
    'accept domains = *.Example\n message = $domain $domain_data $0 $1',
    'a.example *.Example a.example a',
  ],
  [
    'BOB@a.Example',
    'accept domains = A.EXAMPLE\n message = $domain $domain_data $0 $1.',
    'a.example A.EXAMPLE a.example .',
  ],
  ['bob@x', 'accept condition = ${if match{$local_part}{b(.)b}}\n message = <$1>', '<>'],
  ['u@a.example', 'warn domains = *.example\naccept message = <$0 $1>', '<a.example a>'],
  ['u@a.example', 'accept domains = *.example\n local_parts = *u\n message = <$0 $1>', '<u >'],
  [
    'u@a.example',
    'accept domains = *.example\n condition = ${if match{abc}{a(.)}}\n message = <$0 $1>',
    '<a.example a>',
  ],
  ['bob@x', 'deny condition = ${if match{abc}{a(.)}}\n condition = no\naccept message = <$1>', '<>'],
]
for (const [rcpt, acl, user] of cases4_96) {
  test(`Exim 4.96: ${JSON.stringify(acl)} for ${rcpt} says ${user ?? 'nothing'}`, async () => {
    const [localPart = '', domain = ''] = rcpt.split('@')
    const bench = policyBench({ acls: `t:\n${acl}`, address: { localPart, domain } })
    assert.equal((await bench.runAcl('t', 'rcpt', bench.context)).userMessage, user)
  })
}

test('headers are added as they stand; what is no header becomes one', async () => {
  const bench = policyBench({
    acls: 't:\nwarn add_header = X-A: 1\\nX-B: 2\\n folded\\nno header\n add_header = :at_start:X-C: 3\n add_header = X-A: 1\nwarn message = X-D: old\naccept remove_header = X-R : X-S',
  })
  await bench.runAcl('t', 'rcpt', bench.context)
  assert.deepEqual(bench.context.message?.headersAdded, [
    'X-A: 1\n',
    'X-B: 2\n folded\n',
    'X-ACL-Warn: no header\n',
    ':at_start:X-C: 3\n',
    'X-D: old\n',
  ])
  assert.deepEqual(bench.context.message?.headersRemoved, ['X-R', 'X-S'])
})

test('no_multiline_responses leaves one line of a refusal', async () => {
  const bench = policyBench({ acls: 't:\nwarn control = no_multiline_responses\ndeny message = a\\nb' })
  assert.equal((await bench.runAcl('t', 'rcpt', bench.context)).userMessage, 'a')
})

test('a verdict tells which statement decided', async () => {
  const bench = policyBench({ acls: 't:\nwarn\ndeny hosts = *\naccept' })
  const result = await bench.runAcl('t', 'rcpt', bench.context)
  assert.deepEqual(result.decidedBy, { acl: 't', file: 'exim.conf', line: 3, verb: 'deny' })
})

test('an ACL with nothing to wait for gives its verdict at once', () => {
  const bench = policyBench({
    acls: 't:\ndeny hosts = 10.0.0.0/8\naccept condition = ${if eq{$domain}{a.example}}\n domains = a.example\n control = submission\n set acl_m_x = $local_part\n message = ok $acl_m_x',
  })
  const result = bench.runAcl('t', 'rcpt', bench.context)
  assert.ok(!(result instanceof Promise))
  assert.equal(result.userMessage, 'ok u')
})

/** Observed of Exim 4.96. */
const leftByNested: readonly {
  readonly says: string
  readonly acl: string
  readonly user?: string
  readonly log?: string
}[] = [
  {
    says: 'what it says stands until something else is said',
    acl: 'deny acl = says\ncondition = yes',
    user: 'inner',
    log: 'inner',
  },
  { says: 'another ACL that says nothing silences it', acl: 'deny acl = says\nacl = silent' },
  { says: 'a refusal that is negated leaves nothing after it either', acl: 'deny !acl = no\nacl = silent' },
  { says: 'a recipient that is good silences it', acl: 'deny acl = says\nverify = recipient' },
  {
    says: 'a recipient that cannot be told yet has its own reason',
    acl: 'accept acl = says\nendpass\nverify = recipient\nlocal_parts = u',
    log: 'not now',
  },
  {
    says: 'a sender that is good leaves it',
    acl: 'deny acl = says\nverify = sender',
    user: 'inner',
    log: 'inner',
  },
  {
    says: 'its log_message is for the refusal that follows',
    acl: 'deny acl = logs',
    user: 'inner',
    log: 'for the log',
  },
  {
    says: 'the log_message of the refusal stands before it',
    acl: 'deny acl = logs\nlog_message = outer <$acl_verify_message>',
    user: 'inner',
    log: 'outer <for the log>: for the log',
  },
]
for (const { says, acl, user, log } of leftByNested) {
  test(`an ACL that was called: ${says}`, async () => {
    const bench = policyBench({
      acls: `t:\n${acl}\nsays:\naccept message = inner\nlogs:\naccept message = inner\nlog_message = for the log\nsilent:\naccept\nno:\ndeny message = no`,
      verify: ({ kind }) =>
        kind === 'recipient' && acl.includes('endpass')
          ? { is: 'defer', logMessage: 'not now' }
          : { is: 'ok' },
    })
    const { userMessage, logMessage } = await bench.runAcl('t', 'rcpt', bench.context)
    assert.deepEqual({ userMessage, logMessage }, { userMessage: user, logMessage: log })
  })
}

test('the log_message of an accept that nothing called says nothing', async () => {
  const bench = policyBench({ acls: 't:\naccept log_message = x' })
  assert.equal((await bench.runAcl('t', 'rcpt', bench.context)).logMessage, undefined)
})

test('per_rcpt counts all recipients of a message that does not come by SMTP', async () => {
  const acl = 'accept ratelimit = 0.5/1h/per_rcpt/MODE\nmessage = $sender_rate'
  for (const mode of ['strict', 'leaky', 'key']) {
    const bench = policyBench({
      acls: `t:\n${acl.replace('MODE', mode)}`,
      message: { recipients: [{ address: 'a@b' }, { address: 'c@d' }] },
    })
    assert.equal((await bench.runAcl('t', 'notsmtp', bench.context)).userMessage, '2.0')
  }
})

test('text from outside is no ACL, but may name one', async () => {
  const bench = policyBench({
    acls: 'u:\naccept\nt:\naccept acl = $local_part\nv:\naccept acl = ${quote_local_part:x}$domain',
  })
  assert.equal((await bench.runAcl('t', 'rcpt', bench.context)).verdict, 'accept')
  const refused = await bench.runAcl('v', 'rcpt', bench.context)
  assert.equal(refused.verdict, 'error')
  assert.match(textOf(refused.logMessage ?? ''), /^attempt to use tainted ACL text "xa.example"/)
})

test('text from outside names no queue', async () => {
  const bench = policyBench({ acls: 't:\naccept queue = $local_part' })
  const refused = await bench.runAcl('t', 'rcpt', bench.context)
  assert.equal(refused.verdict, 'error')
  // Observed of Exim 4.96.
  assert.match(textOf(refused.logMessage ?? ''), /^Tainted name '\w+' for queue not permitted/)
})

test('an ACL called from an expansion gives its message', async () => {
  const bench = policyBench({
    acls: 'r:\naccept condition = ${acl{sub}{x}{y}}\n message = ${acl{no}{z}}\nsub:\naccept message = yes\n condition = ${if eq{$acl_arg2}{y}}\nno:\ndeny message = no $acl_arg1',
  })
  assert.equal((await bench.runAcl('r', 'rcpt', bench.context)).userMessage, 'no z')
  assert.deepEqual(bench.debug.slice(1, 6), [
    'processing "accept" (exim.conf 2)',
    '  using ACL "sub"',
    '  processing "accept" (exim.conf 5)',
    '    message: yes',
    '  check condition = ${if eq{$acl_arg2}{y}}',
  ])
})

test('an ACL in a file is read once, and again when it changes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acl-'))
  try {
    const file = join(folder, 'acl')
    writeFileSync(file, '# comment\n\naccept hosts = * : \\\n   10.0.0.0/8\n  message = first\n')
    const { runAcl, context, debug } = policyBench({})
    const first = await runAcl(file, 'rcpt', context)
    assert.equal(first.userMessage, 'first')
    assert.deepEqual(first.decidedBy, { acl: file, file, line: 3, verb: 'accept' })
    assert.deepEqual(debug[0], `read ACL from file ${file}`)
    writeFileSync(file, 'accept message = another text\n')
    assert.equal((await runAcl(file, 'rcpt', context)).userMessage, 'another text')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an expansion that defers makes the statement defer', async () => {
  const bench = policyBench({ acls: 't:\naccept message = m\n domains = lsearch;/nosuch/file' })
  const result = await bench.runAcl('t', 'rcpt', bench.context)
  assert.equal(result.verdict, 'defer')
  assert.notEqual(result.userMessage, 'm')
})
