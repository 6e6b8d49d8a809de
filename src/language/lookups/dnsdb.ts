/** DNS records as lookup results. Source: Exim manual, "More about dnsdb" and what follows it. */
import { parseInterval } from '../../base/interval.ts'
import { parseIp, reverseIp } from '../../base/ip.ts'
import { taint, textOf, type Text } from '../../base/text.ts'
import type { Context, DnsRecord, DnsType, LookupResult } from '../../ports.ts'
import type { QueryType } from './types.ts'

interface Query {
  readonly separator: string
  /** Between the fields of a record; '' joins without anything; undefined: as the type has it. */
  readonly fields: string | undefined
  readonly defer: 'strict' | 'lax' | 'never'
  readonly dnssec: 'strict' | 'lax' | 'never'
  readonly retransSeconds: number | undefined
  readonly retry: number | undefined
  readonly type: RecordType
  readonly names: readonly string[]
}

type RecordType =
  | 'a'
  | 'a+'
  | 'aaaa'
  | 'cname'
  | 'csa'
  | 'mx'
  | 'mxh'
  | 'ns'
  | 'ptr'
  | 'soa'
  | 'spf'
  | 'srv'
  | 'tlsa'
  | 'txt'
  | 'zns'

/** What is asked of the DNS for each type, in order. */
const asked: Readonly<Record<RecordType, readonly DnsType[]>> = {
  a: ['A'],
  'a+': ['AAAA', 'A'],
  aaaa: ['AAAA'],
  cname: ['CNAME'],
  csa: ['SRV'],
  mx: ['MX'],
  mxh: ['MX'],
  ns: ['NS'],
  ptr: ['PTR'],
  soa: ['SOA'],
  spf: ['TXT'],
  srv: ['SRV'],
  tlsa: ['TLSA'],
  txt: ['TXT'],
  zns: ['NS'],
}

/** A query can hold text from outside: nobody makes a session wait for long. */
const longestRetrans = 60
const mostRetries = 10
/** Most names of one query. */
const mostNames = 100

export const dnsdbTypes: readonly string[] = Object.keys(asked)

function isRecordType(name: string): name is RecordType {
  return Object.hasOwn(asked, name)
}

/** `>: defer_strict, mx = a.example : b.example` taken apart. */
export function parseDnsQuery(text: Text, context: Context): Query | { readonly error: string } {
  let rest = textOf(text).trimStart()
  let separator = '\n'
  let fields: string | undefined
  if (rest.startsWith('>')) {
    separator = rest.charAt(1)
    rest = rest.slice(2)
    if (rest.startsWith(',')) {
      fields = rest.charAt(1)
      rest = rest.slice(2)
    } else if (rest.startsWith(';')) {
      fields = ''
      rest = rest.slice(1)
    }
  }
  let defer: Query['defer'] = 'lax'
  let dnssec: Query['dnssec'] = 'lax'
  let retransSeconds: number | undefined
  let retry: number | undefined
  for (;;) {
    rest = rest.trimStart()
    const modifier = /^(defer|dnssec|retrans|retry)_([a-z0-9]+)\s*,/i.exec(rest)
    if (modifier === null) break
    const [whole, kind = '', value = ''] = modifier
    if (kind === 'defer' || kind === 'dnssec') {
      if (value !== 'strict' && value !== 'lax' && value !== 'never')
        return { error: `unsupported dnsdb ${kind} behaviour` }
      if (kind === 'defer') defer = value
      else dnssec = value
    } else if (kind === 'retrans') {
      const seconds = parseInterval(value)
      if (seconds === undefined) return { error: 'unsupported dnsdb timeout value' }
      retransSeconds = Math.min(seconds, longestRetrans) || undefined
    } else {
      if (!/^\d+$/.test(value)) return { error: 'unsupported dnsdb retry count' }
      retry = Math.min(Number(value), mostRetries) || undefined
    }
    rest = rest.slice(whole.length)
  }
  const equals = /^([^=]*[^=\s])\s*=/.exec(rest)
  const word = equals?.[1]?.toLowerCase() ?? 'txt'
  if (equals !== null) rest = rest.slice(equals[0].length)
  if (!isRecordType(word)) return { error: 'unsupported DNS record type' }
  rest = rest.trimStart()
  // One IPv6 address is no list: Exim manual, "Multiple dnsdb lookups".
  const names =
    word === 'ptr' && parseIp(rest.trim()) !== undefined
      ? [rest.trim()]
      : context.ports.splitList(rest).map(textOf).slice(0, mostNames)
  return { separator, fields, defer, dnssec, retransSeconds, retry, type: word, names }
}

function showRecord(record: DnsRecord, query: Query): string | undefined {
  const join = query.fields ?? ' '
  switch (record.type) {
    case 'MX':
      return query.type === 'mxh' ? record.exchange : [record.preference, record.exchange].join(join)
    case 'TXT':
    case 'SPF': {
      const whole = record.strings.join(query.fields ?? '')
      if (query.type === 'spf') return /^v=spf1(?: |$)/i.test(record.strings.join('')) ? whole : undefined
      return query.fields === undefined ? (record.strings[0] ?? '') : whole
    }
    case 'SRV':
    case 'CSA':
      return query.type === 'csa'
        ? showCsa(record)
        : [record.priority, record.weight, record.port, record.target].join(join)
    case 'SOA':
      return query.fields === undefined
        ? record.mname
        : [record.mname, record.rname, record.serial, record.minimum].join(join)
    case 'TLSA': {
      const data = Buffer.from(record.data).toString('hex')
      return [record.usage, record.selector, record.matching, data].join(join)
    }
    default:
      return record.value
  }
}

/** Client SMTP authorization: weight 1 not known, 2 no, 3 yes; target beside it. */
function showCsa(record: DnsRecord & { readonly type: 'SRV' | 'CSA' }): string | undefined {
  if (record.priority !== 1) return undefined
  const code = record.weight === 2 ? 'Y' : record.weight === 1 ? 'N' : '?'
  return `${code} ${record.target}`
}

/** The names that are asked for one name of the query, in order, until one answers. */
function chain(name: string, type: RecordType): string[] {
  const ip = type === 'ptr' ? parseIp(name) : undefined
  if (ip !== undefined) return [`${reverseIp(ip)}.${ip.version === 4 ? 'in-addr' : 'ip6'}.arpa`]
  if (type === 'csa') return [`_client._smtp.${name}`]
  if (type !== 'zns' && type !== 'soa') return [name]
  const labels = name.split('.')
  return labels.map((_, i) => labels.slice(i).join('.'))
}

interface Answer {
  readonly values: string[]
  readonly deferred: boolean
  readonly authenticated: boolean
}

async function askOne(name: string, type: DnsType, query: Query, context: Context): Promise<Answer> {
  for (const one of chain(name, query.type)) {
    const { retransSeconds, retry } = query
    const answer = await context.ports.dns(one, type, {
      dnssec: query.dnssec !== 'never',
      retransSeconds,
      retry,
    })
    const unproven = query.dnssec === 'strict' && !answer.authenticated && answer.status === 'found'
    if (answer.status === 'again' || unproven) return { values: [], deferred: true, authenticated: false }
    const values = answer.records.flatMap((record) => {
      const shown = record.type === type || type === 'TXT' ? showRecord(record, query) : undefined
      return shown === undefined ? [] : [shown]
    })
    if (values.length > 0) return { values, deferred: false, authenticated: answer.authenticated }
  }
  return { values: [], deferred: false, authenticated: false }
}

export const dnsdb: QueryType = {
  name: 'dnsdb',
  doc: 'Asks the DNS.',
  since: '0.1',
  style: 'query',
  async find(text, _, context): Promise<LookupResult> {
    const query = parseDnsQuery(text, context)
    if ('error' in query) return { is: 'defer', message: query.error }
    const values: string[] = []
    let deferred = false
    let authenticated = true
    for (const name of query.names) {
      for (const type of asked[query.type]) {
        const answer = await askOne(name, type, query, context)
        if (answer.deferred && query.defer === 'strict')
          return { is: 'defer', message: `DNS lookup of ${name} deferred` }
        deferred ||= answer.deferred && query.defer === 'lax'
        if (answer.values.length > 0) authenticated &&= answer.authenticated
        values.push(...answer.values)
      }
    }
    if (values.length > 0) {
      const proven = query.dnssec === 'never' ? '' : authenticated ? 'yes' : 'no'
      context.variables.set('lookup_dnssec_authenticated', proven)
      return { is: 'found', data: taint(values.join(query.separator), 'lookup dnsdb') }
    }
    return deferred ? { is: 'defer', message: 'DNS lookup deferred' } : { is: 'none' }
  },
}
