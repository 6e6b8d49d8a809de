/**
 * Hostile DNS: name servers that keep silent, lie, loop and flood. Each evaluation of SPF and DMARC ends within its limits
 * with the result that the standard demands, over a real resolver and real sockets; one evil domain does not slow
 * another session. Sources: RFC 7208 sections 2.6 and 4.6.4, RFC 9989 sections 4.10 and 5.3.6.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseIp } from '../src/base/ip.ts'
import { evaluate } from '../src/policy/msgauth/dmarc/evaluate.ts'
import { checkHost } from '../src/policy/msgauth/spf/check-host.ts'
import { createResolver, type Resolver } from '../src/wire/dns/index.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer, type Zone } from './support/dns-server.ts'
import { type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const txt = (...strings: (string | Buffer)[]): ScriptedRecord => ({ type: 'TXT', data: strings })
const cname = (data: string): ScriptedRecord => ({ type: 'CNAME', data })
const spfAll = 'v=spf1 ip4:127.0.0.1 -all'
const reject = 'v=DMARC1; p=reject; psd=n'

/** At a name: what its TXT answer is, and what must come of it. */
interface Hostile {
  readonly says: string
  readonly label: string
  /** Of the record that is asked for; `good` is a record that passes. */
  readonly script: (good: string) => Zone[string]
  readonly spf: string
  readonly dmarc: string
  /** What stands at other names. */
  readonly more?: Zone
}

const chain = (length: number, label: string, good: string): Zone => {
  const zone: Record<string, Zone[string]> = {}
  for (let i = 0; i < length; i++)
    zone[`c${i}.${label}.chain TXT`] = [
      cname(i + 1 < length ? `c${i + 1}.${label}.chain` : `end.${label}.chain`),
    ]
  zone[`end.${label}.chain TXT`] = [txt(good)]
  return zone
}

const cases: readonly Hostile[] = [
  { says: 'a good answer', label: 'good', script: (good) => [txt(good)], spf: 'pass', dmarc: 'fail' },
  { says: 'silence', label: 'silent', script: () => 'silence', spf: 'temperror', dmarc: 'temperror' },
  { says: 'SERVFAIL', label: 'servfail', script: () => 'servfail', spf: 'temperror', dmarc: 'temperror' },
  { says: 'REFUSED', label: 'refused', script: () => 'refused', spf: 'temperror', dmarc: 'temperror' },
  { says: 'NXDOMAIN', label: 'nxdomain', script: () => 'nxdomain', spf: 'none', dmarc: 'none' },
  { says: 'no data', label: 'nodata', script: () => 'nodata', spf: 'none', dmarc: 'none' },
  {
    says: 'bytes that are no answer',
    label: 'garbage',
    script: () => 'garbage',
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'another id',
    label: 'wrongid',
    script: (good) => ({ wrongId: [txt(good)], times: 1 }),
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'an answer to another question',
    label: 'wrongname',
    script: (good) => ({ wrongQuestion: [txt(good)] }),
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'five hundred forged answers before the true one',
    label: 'flood',
    script: (good) => ({ wrongId: [txt('v=spf1 +all')], times: 500, true: [txt(good)] }),
    spf: 'pass',
    dmarc: 'fail',
  },
  {
    says: 'a CNAME to itself',
    label: 'selfloop',
    script: () => [cname('SELF')],
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'a loop of two CNAMEs',
    label: 'twoloop',
    script: () => [cname('b.twoloop.chain')],
    more: {
      'b.twoloop.chain TXT': [cname('a.twoloop.chain')],
      'a.twoloop.chain TXT': [cname('b.twoloop.chain')],
    },
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'a chain of three CNAMEs',
    label: 'chain3',
    script: () => [cname('c0.chain3.chain')],
    spf: 'pass',
    dmarc: 'fail',
  },
  {
    says: 'a chain of forty CNAMEs',
    label: 'chain40',
    script: () => [cname('c0.chain40.chain')],
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'a CNAME to nothing',
    label: 'dangling',
    script: () => [cname('nothing.chain')],
    spf: 'none',
    dmarc: 'none',
  },
  {
    says: 'a truncated answer, whole over TCP',
    label: 'truncated',
    script: (good) => ({ truncated: [txt(good)] }),
    spf: 'pass',
    dmarc: 'fail',
  },
  {
    says: 'a truncated answer and silence over TCP',
    label: 'tcpsilence',
    script: () => ({ truncated: 'silence' }),
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'a truncated answer and a TCP connection that closes',
    label: 'tcpclose',
    script: () => ({ truncated: 'close' }),
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'a truncated answer whose length over TCP is a lie',
    label: 'tcplie',
    script: () => ({ truncated: 'lie' }),
    spf: 'temperror',
    dmarc: 'temperror',
  },
  {
    says: 'a TXT record of 64 KB',
    label: 'huge',
    script: (good) => ({ truncated: [txt(good, ...Array.from({ length: 250 }, () => ';'.padEnd(255)))] }),
    spf: 'permerror',
    dmarc: 'fail',
  },
  {
    says: 'a record of hundreds of strings',
    label: 'strings',
    script: (good) => ({ truncated: [txt(...good.split('').flatMap((char) => [char, '']))] }),
    spf: 'pass',
    dmarc: 'fail',
  },
  {
    says: 'four hundred other records beside it',
    label: 'many',
    script: (good) => ({ truncated: [...Array.from({ length: 400 }, (_, i) => txt(`x${i}`)), txt(good)] }),
    spf: 'pass',
    dmarc: 'fail',
  },
  {
    says: 'four hundred records of its kind',
    label: 'several',
    script: (good) => ({ truncated: Array.from({ length: 400 }, () => txt(good)) }),
    spf: 'permerror',
    dmarc: 'none',
  },
  {
    says: 'zero bytes and line ends',
    label: 'control',
    script: (good) => [txt(Buffer.from(`${good}\0\r\nX: y`))],
    spf: 'permerror',
    dmarc: 'control',
  },
]

const zone: Record<string, Zone[string]> = {
  'quick.test TXT': [txt(spfAll)],
  '_dmarc.quick.test TXT': [txt('v=DMARC1; p=none')],
}
for (const { label, script, more } of cases) {
  const self = (value: Zone[string], name: string): Zone[string] =>
    Array.isArray(value)
      ? value.map((record: ScriptedRecord) => (record.data === 'SELF' ? cname(name) : record))
      : value
  // CNAME chains end at a record of the kind that was asked for.
  for (const [name, good] of [
    [`${label}.spf.test`, spfAll],
    [`_dmarc.${label}.dmarc.test`, reject],
  ] as const) {
    const kind = name.startsWith('_dmarc') ? 'd' : 's'
    const own = script(good)
    zone[`${name} TXT`] = self(
      Array.isArray(own)
        ? own.map((record: ScriptedRecord) =>
            typeof record.data === 'string' && record.data.startsWith('c0.')
              ? cname(record.data.replace(/\.chain$/, `.${kind}.chain`))
              : record,
          )
        : own,
      name,
    )
  }
  Object.assign(zone, more)
}
for (const length of [3, 40]) {
  Object.assign(zone, chain(length, `chain${length}.s`, spfAll), chain(length, `chain${length}.d`, reject))
}

/** The limit of one evaluation, and a little. */
const limitMs = 22_000
let dns: DnsServer
/** Gives up after a second; and one for what must come, however busy the machine is. */
let resolver: Resolver
let patient: Resolver

before(async () => {
  dns = await startDnsServer(zone)
  resolver = createResolver({
    servers: [{ address: '127.0.0.1', port: dns.port }],
    settings: { dns_retrans: 1, dns_retry: 1 },
  })
  patient = createResolver({
    servers: [{ address: '127.0.0.1', port: dns.port }],
    settings: { dns_retrans: 18, dns_retry: 1 },
  })
})
after(() => dns.close())

function resolverFor(expected: string): Resolver {
  return expected === 'temperror' ? resolver : patient
}

for (const { says, label, spf, dmarc } of cases) {
  test(`SPF with ${says}: ${spf}`, async () => {
    const ip = parseIp('127.0.0.1')
    assert.ok(ip !== undefined)
    const domain = `${label}.spf.test`
    const started = Date.now()
    const found = await checkHost(
      { ip, domain, sender: `a@${domain}`, helo: 'h.test', receiver: 'mx.test', now: 0 },
      resolverFor(spf).dns,
    )
    assert.equal(found.result, spf)
    assert.ok(Date.now() - started < limitMs)
  })
  test(`DMARC with ${says}: ${dmarc}`, async () => {
    const authenticated = {
      spf: { domain: 'evil.example', result: 'pass', identity: 'mfrom' as const },
      dkim: [],
    }
    const started = Date.now()
    const found = await evaluate(`${label}.dmarc.test`, authenticated, {
      dns: resolverFor(dmarc).dns,
      random: () => 0,
    })
    // A broken piece of a record is dropped, and the rest counts: RFC 9989 section 4.8.
    assert.equal(found.result, dmarc === 'control' ? 'fail' : dmarc)
    assert.ok(Date.now() - started < limitMs)
  })
}

test('an SPF record that includes itself, and one that spreads out, end at the limits', async () => {
  const ip = parseIp('127.0.0.1')
  assert.ok(ip !== undefined)
  dns.zone = {
    ...zone,
    'loop.spf.test TXT': [txt('v=spf1 include:loop.spf.test -all')],
    'tree.spf.test TXT': [
      txt(`v=spf1 ${Array.from({ length: 10 }, (_, i) => `include:t${i}.spf.test`).join(' ')} -all`),
    ],
    ...Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [
        `t${i}.spf.test TXT`,
        [txt(`v=spf1 ${Array.from({ length: 10 }, () => 'include:tree.spf.test').join(' ')}`)],
      ]),
    ),
  }
  for (const domain of ['loop.spf.test', 'tree.spf.test']) {
    const asked = dns.queries.length
    const found = await checkHost(
      { ip, domain, sender: `a@${domain}`, helo: 'h.test', receiver: 'mx.test', now: 0 },
      patient.dns,
    )
    assert.equal(found.result, 'permerror')
    assert.ok(dns.queries.length - asked <= 12)
  }
})

test('one evil domain does not slow another session', async () => {
  const folder = temporaryFolder('hostile')
  let server: StartedServer | undefined
  try {
    server = await startServer({
      folder: folder.path,
      configuration: `
primary_hostname = mx.test
host_lookup =
dns_retrans = 2s
dns_retry = 2
smtp_accept_max = 100
acl_smtp_rcpt = accept
acl_smtp_data = d
begin acl
d:
  deny dmarc_status = *
       message = $dmarc_status
`,
      environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
    })
    const { port } = server
    const ask = async (domain: string): Promise<{ said: string; ms: number }> => {
      const client = await connectSmtp(port, '127.0.0.1', 60_000)
      await client.say('EHLO x')
      const started = Date.now()
      const reply = await client.deliver(
        `a@${domain.replace('dmarc', 'spf')}`,
        ['u@here.test'],
        `From: a@${domain}\r\n\r\nx\r\n`,
      )
      client.end()
      return { said: `${reply.code} ${reply.lines.join(' ')}`, ms: Date.now() - started }
    }
    const slow = ['silent', 'tcpsilence', 'wrongid', 'wrongname', 'tcplie'].flatMap((label) => [
      ask(`${label}.dmarc.test`),
      ask(`${label}.dmarc.test`),
    ])
    for (let i = 0; i < 5; i++) {
      const quick = await ask('quick.test')
      assert.equal(quick.said, '550 accept')
      assert.ok(quick.ms < 5000, `${quick.ms} ms`)
    }
    for (const { said, ms } of await Promise.all(slow)) {
      assert.equal(said, '550 temperror')
      assert.ok(ms < 58_000, `${ms} ms`)
    }
  } finally {
    await server?.stop()
    folder.remove()
  }
})
