/** The test vectors of the DMARC standards: RFC 9989 by tree walk, and RFC 7489 where it decides otherwise. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DmarcEvaluation } from '../../../mail/dmarc-facts.ts'
import { parseSuffixes } from '../../../mail/public-suffix.ts'
import type { DnsAnswer, DnsRecord, DnsType } from '../../../ports.ts'
import { authorIn } from './author.ts'
import { type Authenticated, evaluate } from './evaluate.ts'
import { finderFor } from './discover.ts'
import { Questions } from './questions.ts'

/** `example.com` to the records at `_dmarc.example.com`; a text that begins with `v` is a whole record. */
type Zone = Readonly<Record<string, string | readonly string[]>>

interface Case {
  readonly id: string
  readonly zone: Zone
  /** Left out: example.com. */
  readonly author?: string
  /** Names that do not exist. */
  readonly absent?: readonly string[]
  readonly spf?: { readonly domain: string; readonly result: string }
  readonly dkim?: readonly { readonly domain: string; readonly result: string }[]
  readonly expect: Expected
  /** In the old mode, where it differs. */
  readonly psl?: Expected | undefined
}
interface Expected {
  readonly result?: DmarcEvaluation['result']
  readonly pol?: string
  readonly record?: string
  readonly org?: string
  readonly asked?: readonly string[] | undefined
}

const suffixes = parseSuffixes('com\nnet\norg\ntest\nbank\n')

function txtOf(text: string): readonly string[] {
  return text.split('\n')
}

function dnsOf(zone: Zone, absent: readonly string[], exists: readonly string[]) {
  return async (name: string, type: DnsType): Promise<DnsAnswer> => {
    const answer = (status: DnsAnswer['status'], records: readonly DnsRecord[] = []): DnsAnswer => ({
      status,
      records,
      authenticated: false,
      canonicalName: name,
    })
    if (!name.startsWith('_dmarc.')) {
      return answer(absent.includes(name) ? 'nxdomain' : exists.includes(name) ? 'found' : 'nodata')
    }
    const at = zone[name.slice('_dmarc.'.length)]
    if (at === undefined || type !== 'TXT') return answer('nxdomain')
    if (at === 'TIMEOUT') return answer('again')
    const texts = typeof at === 'string' ? [at] : at
    return answer(
      'found',
      texts.map((text) => ({
        type: 'TXT',
        name,
        ttl: 60,
        strings: txtOf(/^(?:raw )/.test(text) ? text.slice(4) : `v=DMARC1; ${text}`),
      })),
    )
  }
}

const S = (domain: string, result = 'pass') => ({ domain, result })
const K = (...domains: string[]) => domains.map((domain) => ({ domain, result: 'pass' }))
const com = 'example.com'
const d = 'rua=mailto:d@example.com'

const n1 = { [com]: 'p=none; sp=quarantine; np=reject' }
const a8 = { 'coop.test': 'p=reject; psd=y', 'alpha.coop.test': 'p=quarantine' }
const bank = { bank: 'p=reject; psd=y', 'b.firm.bank': 'p=none' }

const cases: readonly Case[] = [
  { id: 'P1 white space', zone: { [com]: 'raw v = DMARC1 ; p = reject ;' }, expect: { pol: 'reject' } },
  { id: 'P1 case of the policy', zone: { [com]: 'p=REJECT' }, expect: { pol: 'reject' } },
  {
    id: 'P2 small letters of the version',
    zone: { [com]: 'raw v=dmarc1; p=reject' },
    expect: { result: 'none' },
  },
  { id: 'P2 version not first', zone: { [com]: 'raw p=reject; v=DMARC1' }, expect: { result: 'none' } },
  {
    id: 'P3 p anywhere',
    zone: { [com]: 'sp=none; p=reject' },
    expect: { pol: 'reject' },
    psl: { result: 'permerror' },
  },
  { id: 'P4 bad p with rua', zone: { [com]: `p=bogus; ${d}` }, expect: { pol: 'none' } },
  { id: 'P4 no p with rua', zone: { [com]: d }, expect: { pol: 'none' } },
  { id: 'P4 bad sp with rua', zone: { [com]: `p=reject; sp=bogus; ${d}` }, expect: { pol: 'none' } },
  { id: 'P5 bad p', zone: { [com]: 'p=bogus' }, expect: { result: 'permerror' } },
  { id: 'P6 nothing', zone: { [com]: 'raw v=DMARC1' }, expect: { result: 'none' } },
  {
    id: 'P7 bad np',
    zone: { [com]: 'p=reject; np=bogus' },
    expect: { result: 'permerror' },
    psl: { result: 'fail', pol: 'reject' },
  },
  {
    id: 'P8 bad values of others',
    zone: { [com]: 'p=reject; adkim=x; t=q; psd=z; fo=9' },
    expect: { pol: 'reject' },
  },
  {
    id: 'P9 unknown tags',
    zone: { [com]: 'p=reject; foo=bar; pct=0' },
    expect: { pol: 'reject' },
    psl: { pol: 'quarantine' },
  },
  { id: 'P10 several strings', zone: { [com]: 'p=re\nject' }, expect: { pol: 'reject' } },
  { id: 'P12 rua without scheme', zone: { [com]: 'p=reject; rua=d@example.com' }, expect: { pol: 'reject' } },
  { id: 'P13 a tag twice', zone: { [com]: 'p=none; p=reject' }, expect: { result: 'permerror' } },
  {
    id: 'T1 records between are not inherited',
    zone: { 'mail.example.com': 'p=quarantine', [com]: 'p=reject; sp=none' },
    author: 'a.mail.example.com',
    expect: {
      pol: 'none',
      record: com,
      org: com,
      asked: ['a.mail.example.com', 'mail.example.com', com, 'com'],
    },
  },
  {
    id: 'T2 the own record',
    zone: { 'mail.example.com': 'p=quarantine', [com]: 'p=reject; sp=none' },
    author: 'mail.example.com',
    expect: { pol: 'quarantine', record: 'mail.example.com', org: com },
  },
  {
    id: 'T3 ten labels',
    zone: {},
    author: 'a.b.c.d.e.f.g.h.example.com',
    expect: {
      result: 'none',
      asked: [
        'a.b.c.d.e.f.g.h.example.com',
        'd.e.f.g.h.example.com',
        'e.f.g.h.example.com',
        'f.g.h.example.com',
        'g.h.example.com',
        'h.example.com',
        com,
        'com',
      ],
    },
  },
  {
    id: 'T4 eight labels',
    zone: {},
    author: 'a.b.c.d.e.f.example.com',
    expect: {
      result: 'none',
      asked: [
        'a.b.c.d.e.f.example.com',
        'b.c.d.e.f.example.com',
        'c.d.e.f.example.com',
        'd.e.f.example.com',
        'e.f.example.com',
        'f.example.com',
        com,
        'com',
      ],
    },
  },
  {
    id: 'T5 a name of eight labels below one of nine',
    zone: { 'b.c.d.e.f.g.example.com': 'p=reject; psd=n' },
    author: 'a.b.c.d.e.f.g.example.com',
    expect: { result: 'none' },
  },
  {
    id: 'T6 psd=n ends the walk',
    zone: { 'b.example.com': 'p=reject; psd=n', [com]: 'p=none' },
    author: 'a.b.example.com',
    expect: {
      pol: 'reject',
      record: 'b.example.com',
      org: 'b.example.com',
      asked: ['a.b.example.com', 'b.example.com'],
    },
    psl: { pol: 'none', record: com },
  },
  {
    id: 'T7 the suffix speaks for what does not exist',
    zone: { com: 'p=none; np=reject; psd=y' },
    author: 'a.mail.example.com',
    absent: ['a.mail.example.com'],
    expect: { pol: 'reject', record: 'com', org: com },
    psl: { result: 'none' },
  },
  {
    id: 'T7 and for what exists',
    zone: { com: 'p=none; np=reject; psd=y' },
    expect: { pol: 'none', record: 'com', org: com },
    psl: { result: 'none' },
  },
  {
    id: 'T8 the organisation before the suffix',
    zone: { bank: 'p=reject; psd=y', 'firm.bank': 'p=quarantine' },
    author: 'a.firm.bank',
    expect: { pol: 'quarantine', record: 'firm.bank', org: 'firm.bank' },
  },
  {
    id: 'T9 an organisation without record',
    zone: bank,
    author: 'a.b.firm.bank',
    expect: { pol: 'reject', record: 'bank', org: 'firm.bank' },
    psl: { result: 'none' },
  },
  {
    id: 'T10 the own record below a suffix',
    zone: bank,
    author: 'b.firm.bank',
    expect: { pol: 'none', record: 'b.firm.bank', org: 'firm.bank' },
  },
  {
    id: 'T11 the suffix itself',
    zone: { bank: 'p=reject; sp=none; psd=y' },
    author: 'bank',
    expect: { pol: 'reject', record: 'bank', org: 'bank', asked: ['bank'] },
    psl: { pol: 'reject', record: 'bank' },
  },
  {
    id: 'T12 below the suffix, signed by the suffix',
    zone: { bank: 'p=reject; sp=none; psd=y' },
    author: 'mail.bank',
    dkim: K('bank'),
    expect: { result: 'fail', pol: 'none', record: 'bank', org: 'mail.bank' },
    psl: { result: 'none' },
  },
  {
    id: 'T13 a single label',
    zone: {},
    author: 'localhost',
    expect: { result: 'none', asked: ['localhost'] },
  },
  {
    id: 'T14 two records count as none',
    zone: { 'mail.example.com': ['p=none', 'p=quarantine'], [com]: 'p=reject' },
    author: 'mail.example.com',
    expect: { pol: 'reject', record: com },
    psl: { result: 'none' },
  },
  {
    id: 'T15 a top level that does not say psd=y',
    zone: { com: 'p=quarantine' },
    expect: { pol: 'quarantine', record: 'com', org: 'com' },
    psl: { result: 'none' },
  },
  {
    id: 'T16 other TXT records are ignored',
    zone: { 'mail.example.com': ['raw hello', 'raw v=spf1 -all'], [com]: 'p=quarantine' },
    author: 'mail.example.com',
    expect: { pol: 'quarantine', record: com },
  },
  {
    id: 'T17 a time-out',
    zone: { 'mail.example.com': 'TIMEOUT', [com]: 'p=reject' },
    author: 'mail.example.com',
    expect: { result: 'temperror' },
  },
  {
    id: 'T18 psd=n at the author',
    zone: { [com]: 'p=reject; psd=n', com: 'p=none' },
    expect: { pol: 'reject', org: com, asked: [com] },
    psl: { pol: 'reject' },
  },
  {
    id: 'T19 a suffix of two labels',
    zone: { 'x.co.test': 'p=none', 'co.test': 'p=reject; psd=y', test: 'psd=y' },
    author: 'w.x.co.test',
    expect: {
      pol: 'none',
      record: 'x.co.test',
      org: 'x.co.test',
      asked: ['w.x.co.test', 'x.co.test', 'co.test'],
    },
    psl: { pol: 'reject', record: 'co.test' },
  },
  {
    id: 'T20 nine labels below a suffix',
    zone: { com: 'p=none; psd=y' },
    author: 'a.b.c.d.e.f.g.example.com',
    expect: { pol: 'none', record: 'com', org: com },
    psl: { result: 'none' },
  },
  {
    id: 'N1 np',
    zone: n1,
    author: 'nx.example.com',
    absent: ['nx.example.com'],
    expect: { pol: 'reject' },
    psl: { pol: 'quarantine' },
  },
  {
    id: 'N2 a name without addresses exists',
    zone: n1,
    author: 'only-txt.example.com',
    expect: { pol: 'quarantine' },
  },
  { id: 'N2 the domain itself', zone: n1, expect: { pol: 'none' } },
  {
    id: 'N3 np falls to sp',
    zone: { [com]: 'p=none; sp=quarantine' },
    author: 'nx.example.com',
    absent: ['nx.example.com'],
    expect: { pol: 'quarantine' },
  },
  {
    id: 'N4 np is not for what exists',
    zone: { [com]: 'p=none; np=reject' },
    author: 'sub.example.com',
    expect: { pol: 'none' },
  },
  {
    id: 'N5 np from the organisation over a name between',
    zone: { ...n1, 'sub.example.com': 'p=none' },
    author: 'x.sub.example.com',
    absent: ['x.sub.example.com'],
    expect: { pol: 'reject', record: com },
    psl: { pol: 'quarantine', record: com },
  },
  {
    id: 'N6 a wildcard makes a name exist',
    zone: n1,
    author: 'any.example.com',
    expect: { pol: 'quarantine' },
  },
  {
    id: 'Y1 t=y of reject',
    zone: { [com]: 'p=reject; t=y' },
    expect: { pol: 'quarantine' },
    psl: { pol: 'reject' },
  },
  {
    id: 'Y1 t=y of quarantine',
    zone: { [com]: 'p=quarantine; t=y' },
    expect: { pol: 'none' },
    psl: { pol: 'quarantine' },
  },
  {
    id: 'Y2 t=y of sp',
    zone: { [com]: 'p=none; sp=reject; t=y' },
    author: 's.example.com',
    expect: { pol: 'quarantine' },
    psl: { pol: 'reject' },
  },
  {
    id: 'Y2 t=y of np',
    zone: { [com]: 'p=none; np=reject; t=y' },
    author: 'n.example.com',
    absent: ['n.example.com'],
    expect: { pol: 'quarantine' },
    psl: { pol: 'none' },
  },
  { id: 'Y3 t=y and a pass', zone: { [com]: 'p=reject; t=y' }, dkim: K(com), expect: { result: 'pass' } },
  {
    id: 'A1 relaxed SPF',
    zone: { [com]: 'p=reject' },
    spf: S('bounce.example.com'),
    expect: { result: 'pass' },
  },
  {
    id: 'A1 strict SPF',
    zone: { [com]: 'p=reject; aspf=s' },
    spf: S('bounce.example.com'),
    expect: { result: 'fail' },
  },
  {
    id: 'A2 the organisation sends for its part',
    zone: { 'news.example.com': 'p=reject', [com]: 'p=none' },
    author: 'news.example.com',
    spf: S(com),
    expect: { result: 'pass' },
  },
  {
    id: 'A3 without a record the organisation is another',
    zone: { 'news.example.com': 'p=reject' },
    author: 'news.example.com',
    spf: S(com),
    expect: { result: 'fail' },
    psl: { result: 'pass' },
  },
  {
    id: 'A4 a HELO name does not count',
    zone: { [com]: 'p=reject' },
    spf: S('other.net', 'fail'),
    expect: { result: 'fail' },
  },
  {
    id: 'A4 but for an empty sender',
    zone: { [com]: 'p=reject' },
    spf: S('mail.example.com'),
    expect: { result: 'pass' },
  },
  {
    id: 'A5 one of several signatures',
    zone: { [com]: 'p=reject' },
    dkim: K('other.net', 'EXAMPLE.com'),
    expect: { result: 'pass' },
  },
  {
    id: 'A5 softfail and a broken signature',
    zone: { [com]: 'p=reject' },
    spf: S(com, 'softfail'),
    dkim: [{ domain: com, result: 'fail' }],
    expect: { result: 'fail' },
  },
  {
    id: 'A6 psd=n above',
    zone: { 'dept.example.com': 'p=reject; psd=n', [com]: 'p=reject' },
    author: 'dept.example.com',
    dkim: K(com),
    expect: { result: 'fail' },
    psl: { result: 'pass' },
  },
  {
    id: 'A6 psd=n below',
    zone: { 'dept.example.com': 'p=reject; psd=n', [com]: 'p=reject' },
    author: 'dept.example.com',
    dkim: K('x.dept.example.com'),
    expect: { result: 'pass' },
  },
  {
    id: 'A7 psd=n between',
    zone: { 'dept.example.com': 'p=reject; psd=n', [com]: 'p=reject' },
    dkim: K('x.dept.example.com'),
    expect: { result: 'fail' },
    psl: { result: 'pass' },
  },
  {
    id: 'A8 by SPF only',
    zone: a8,
    author: 'alpha.coop.test',
    spf: S('mx.alpha.coop.test'),
    dkim: K('beta.coop.test'),
    expect: { result: 'pass' },
  },
  {
    id: 'A8 not by the neighbour',
    zone: a8,
    author: 'alpha.coop.test',
    dkim: K('beta.coop.test'),
    expect: { result: 'fail' },
    psl: { result: 'pass' },
  },
  {
    id: 'A9 siblings of one organisation',
    zone: { [com]: 'p=reject', 'b.example.com': 'p=none' },
    author: 'a.example.com',
    dkim: K('b.example.com'),
    expect: { result: 'pass' },
  },
  {
    id: 'A10 strict DKIM',
    zone: { [com]: 'p=reject; adkim=s' },
    author: 'sub.example.com',
    dkim: K(com),
    expect: { result: 'fail' },
  },
  {
    id: 'A10 strict DKIM, equal',
    zone: { [com]: 'p=reject; adkim=s' },
    author: 'sub.example.com',
    dkim: K('sub.example.com'),
    expect: { result: 'pass', asked: ['sub.example.com', com, 'com'] },
    psl: { result: 'pass' },
  },
  {
    id: 'A11 the hazard of a top level without psd=y',
    zone: { com: 'p=none', [com]: 'p=reject' },
    dkim: K('evil.com'),
    expect: { result: 'pass' },
    psl: { result: 'fail' },
  },
  {
    id: 'A12 the answer to it',
    zone: { com: 'p=none', [com]: 'p=reject; psd=n' },
    dkim: K('evil.com'),
    expect: { result: 'fail' },
  },
  {
    id: 'A12 own names still align',
    zone: { com: 'p=none', [com]: 'p=reject; psd=n' },
    dkim: K('m.example.com'),
    expect: { result: 'pass' },
  },
  {
    id: 'A13 SPF cannot be found out',
    zone: { [com]: 'p=reject' },
    spf: S(com, 'temperror'),
    expect: { result: 'temperror' },
  },
  {
    id: 'A13 and a signature',
    zone: { [com]: 'p=reject' },
    spf: S(com, 'temperror'),
    dkim: K(com),
    expect: { result: 'pass' },
  },
  {
    id: "a stranger's broken DNS does not help him",
    zone: { [com]: 'p=reject' },
    spf: S('evil.net', 'temperror'),
    dkim: [{ domain: 'evil.com', result: 'temperror' }],
    expect: { result: 'fail' },
  },
]

for (const each of cases) {
  for (const mode of ['rfc9989', 'rfc7489'] as const) {
    test(`${each.id} (${mode})`, () => check(each, mode))
  }
}

async function check(each: Case, mode: 'rfc9989' | 'rfc7489'): Promise<void> {
  const author = each.author ?? com
  const dns = dnsOf(each.zone, each.absent ?? [], [])
  const asked: string[] = []
  const authenticated: Authenticated = {
    spf: { domain: 'sender.invalid', result: 'none', identity: 'mfrom', ...each.spf },
    dkim: (each.dkim ?? []).map((one) => ({ ...one, selector: 's', identity: '' })),
  }
  const old = mode === 'rfc7489'
  const found = await evaluate(author, authenticated, {
    dns: (name, type) => {
      if (name.startsWith('_dmarc.')) asked.push(name.slice('_dmarc.'.length))
      return dns(name, type)
    },
    suffixes: old ? suffixes : undefined,
    random: () => 50,
  })
  const expected = old ? (each.psl ?? withoutWalk(each.expect)) : each.expect
  assert.equal(found.result, expected.result ?? 'fail', found.problem)
  if (expected.pol !== undefined) assert.equal(found.policy?.evaluated, expected.pol)
  if (expected.record !== undefined) assert.equal(found.policy?.domain, expected.record)
  if (expected.asked !== undefined) assert.deepEqual(asked, expected.asked)
  if (expected.org !== undefined) {
    const questions = new Questions(mode, dns)
    const organization = await finderFor(questions, old ? suffixes : undefined).organization(author)
    questions.end()
    assert.deepEqual(organization, { domain: expected.org })
  }
}

/** What the tree walk asks, and what it makes of a suffix, is no concern of the old mode. */
function withoutWalk(expected: Expected): Expected {
  return { ...expected, asked: undefined }
}

test('A14 two addresses of one domain are one author, of two domains several', () => {
  assert.deepEqual(authorIn('a@example.com, b@EXAMPLE.com'), { is: 'domain', domain: com })
  assert.deepEqual(authorIn('a@example.com, b@other.net'), { is: 'several', domains: [com, 'other.net'] })
})

test('pct is a share of the messages that fail', async () => {
  const dns = dnsOf({ [com]: 'p=reject; pct=30' }, [], [])
  const policies = await Promise.all(
    [0, 29, 30, 99].map(async (chance) => {
      const found = await evaluate(
        com,
        { spf: { domain: 'x.test', result: 'none', identity: 'mfrom' }, dkim: [] },
        { dns, suffixes, random: () => chance },
      )
      return [found.policy?.evaluated, found.policy?.sampledOut]
    }),
  )
  assert.deepEqual(policies, [
    ['reject', false],
    ['reject', false],
    ['quarantine', true],
    ['quarantine', true],
  ])
})

test('an evaluation ends within its time and its number of questions', async () => {
  const never = (): Promise<DnsAnswer> => new Promise(() => undefined)
  const none: Authenticated = { spf: { domain: '', result: 'none', identity: 'mfrom' }, dkim: [] }
  const found = await evaluate(com, none, { dns: never, random: () => 0, limitMs: 20 })
  assert.equal(found.result, 'temperror')
  let count = 0
  const dns = dnsOf({ [com]: 'p=reject' }, [], [])
  const signers = Array.from({ length: 100 }, (_, i) => ({
    domain: `s${i}.${com}`,
    result: 'pass',
    selector: 's',
    identity: '',
  }))
  const many = await evaluate(
    com,
    { ...none, dkim: signers.map((each) => ({ ...each, domain: `a.b.c.${each.domain}` })) },
    {
      dns: (name, type) => {
        count++
        return dns(name, type)
      },
      random: () => 0,
    },
  )
  assert.equal(many.result, 'pass')
  assert.ok(count <= 60)
})
