/** SPF: whole evaluations over a DNS that answers from memory, and reading records alone. */
import { parseIp } from '../src/base/ip.ts'
import { checkHost } from '../src/policy/msgauth/spf/check-host.ts'
import { parseRecord } from '../src/policy/msgauth/spf/record.ts'
import type { AskDns, SpfQuery } from '../src/policy/msgauth/spf/result.ts'
import type { DnsAnswer } from '../src/ports.ts'
import type { Figure } from './run.ts'

const records: Readonly<Record<string, string>> = {
  'plain.test': 'v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all',
  'usual.test': 'v=spf1 include:one.test include:two.test include:three.test a mx -all',
  'one.test': `v=spf1 ${Array.from({ length: 20 }, (_, i) => `ip4:198.51.100.${i * 8}/29`).join(' ')} ~all`,
  'two.test': `v=spf1 ${Array.from({ length: 20 }, (_, i) => `ip6:2001:db8:${i}::/48`).join(' ')} ~all`,
  'three.test': 'v=spf1 ip4:192.0.2.0/24 ~all',
  'macro.test': 'v=spf1 exists:%{ir}.%{v}.%{l1r-}.lp.%{d2} -all',
}

const dns: AskDns = (name, type) => {
  const text = type === 'TXT' ? records[name] : undefined
  const answer: DnsAnswer = {
    status: text === undefined ? 'nxdomain' : 'found',
    records: text === undefined ? [] : [{ type: 'TXT', name, ttl: 60, strings: [text] }],
    authenticated: false,
    canonicalName: name,
  }
  return Promise.resolve(answer)
}

/** Measures and gives one row for each figure. */
export async function run(): Promise<Figure[]> {
  const figures: Figure[] = []
  const rounds = 20_000
  for (const domain of ['plain.test', 'usual.test', 'macro.test']) {
    const query: SpfQuery = {
      ip: parseIp('192.0.2.7') ?? { version: 4, bytes: new Uint8Array(4) },
      domain,
      sender: `some-body@${domain}`,
      helo: 'mail.test',
      receiver: 'mx.test',
      now: 0,
    }
    for (let i = 0; i < rounds / 10; i++) await checkHost(query, dns)
    const before = performance.now()
    for (let i = 0; i < rounds; i++) await checkHost(query, dns)
    figures.push({
      name: `evaluate ${domain.replace('.test', '')}`,
      value: ((performance.now() - before) * 1000) / rounds,
      unit: 'us',
    })
  }
  const text = records['one.test'] ?? ''
  const before = performance.now()
  for (let i = 0; i < rounds; i++) parseRecord(text)
  figures.push({
    name: 'read a record of 21 terms',
    value: ((performance.now() - before) * 1000) / rounds,
    unit: 'us',
  })
  return figures
}
