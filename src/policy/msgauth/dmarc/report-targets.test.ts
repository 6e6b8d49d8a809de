/** Where reports may go: the rows X1 to X4 of the test vectors, RFC 9990 section 4. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSuffixes } from '../../../mail/public-suffix.ts'
import type { DnsAnswer } from '../../../ports.ts'
import { reportUris } from './record.ts'
import { targetsOf } from './report-targets.ts'

type Zone = Readonly<Record<string, readonly string[] | 'again'>>

const suffixes = parseSuffixes('com\nnet\norg\ntest\nbank\n')

async function targets(zone: Zone, uris: string, domain = 'example.com', old = false): Promise<string[]> {
  const dns = async (name: string): Promise<DnsAnswer> => {
    const at = zone[name]
    const records = at === undefined || at === 'again' ? [] : at
    return {
      status: at === 'again' ? 'again' : at === undefined ? 'nxdomain' : 'found',
      records: records.map((text) => ({ type: 'TXT', name, ttl: 1, strings: [text] })),
      authenticated: false,
      canonicalName: name,
    }
  }
  const found = await targetsOf(reportUris(uris), 'rua', domain, {
    dns,
    suffixes: old ? suffixes : undefined,
  })
  return found.map((target) => `${target.is} ${target.address}`)
}

const own = { '_dmarc.example.com': ['v=DMARC1; p=none'] }
const third = 'example.com._report._dmarc.third.net'
const r = 'mailto:r@third.net'

const cases: readonly {
  readonly says: string
  readonly zone: Zone
  readonly uris: string
  readonly domain?: string
  readonly expect: readonly string[]
}[] = [
  {
    says: 'X1 an address of the same organisation needs no consent',
    zone: own,
    uris: 'mailto:r@reports.example.com',
    expect: ['verified r@reports.example.com'],
  },
  {
    says: 'X1 nor does one of the domain itself',
    zone: {},
    uris: 'mailto:r@EXAMPLE.com',
    expect: ['verified r@EXAMPLE.com'],
  },
  {
    says: 'X2 another organisation that agrees',
    zone: { ...own, [third]: ['v=DMARC1;'] },
    uris: r,
    expect: ['verified r@third.net'],
  },
  { says: 'X2 and one that says nothing', zone: own, uris: r, expect: ['refused r@third.net'] },
  {
    says: 'X2 a record of another kind is no consent',
    zone: { ...own, [third]: ['v=spf1 -all', 'yes'] },
    uris: r,
    expect: ['refused r@third.net'],
  },
  {
    says: 'X2 consent cannot be found out now',
    zone: { ...own, [third]: 'again' },
    uris: r,
    expect: ['again r@third.net'],
  },
  {
    says: 'X3 another address of the same host',
    zone: { ...own, [third]: ['v=DMARC1; rua=mailto:new@third.net'] },
    uris: r,
    expect: ['verified new@third.net'],
  },
  {
    says: 'X3 an address of another host: neither',
    zone: { ...own, [third]: ['v=DMARC1; rua=mailto:n@other.org'] },
    uris: r,
    expect: ['refused r@third.net'],
  },
  {
    says: 'X3 of several records the first in order',
    zone: { ...own, [third]: ['v=DMARC1; rua=mailto:z@third.net', 'v=DMARC1; rua=mailto:a@third.net'] },
    uris: r,
    expect: ['verified a@third.net'],
  },
  {
    says: 'X4 the suffix itself',
    zone: { '_dmarc.bank': ['v=DMARC1; p=reject; psd=y'] },
    uris: 'mailto:r@bank',
    domain: 'bank',
    expect: ['verified r@bank'],
  },
  {
    says: 'other schemes are left out',
    zone: own,
    uris: 'https://x.test/r,mailto:r@example.com',
    expect: ['verified r@example.com'],
  },
  {
    says: 'an address twice gets one report',
    zone: own,
    uris: 'mailto:r@example.com,mailto:r@example.com',
    expect: ['verified r@example.com'],
  },
  {
    says: 'no more than five addresses',
    zone: own,
    uris: Array.from({ length: 9 }, (_, i) => `mailto:r${i}@example.com`).join(','),
    expect: Array.from({ length: 5 }, (_, i) => `verified r${i}@example.com`),
  },
  {
    says: 'a name that is too long for the DNS',
    zone: own,
    uris: r,
    domain: `${'a'.repeat(60)}.`.repeat(4).slice(0, -1),
    expect: ['refused r@third.net'],
  },
]
for (const { says, zone, uris, domain, expect } of cases) {
  test(says, async () => assert.deepEqual(await targets(zone, uris, domain), expect))
  if (!says.startsWith('X4'))
    test(`${says} (rfc7489)`, async () => assert.deepEqual(await targets(zone, uris, domain, true), expect))
}
