/**
 * Hosts of a domain's MX and SRV records, in the order to try.
 * Source: RFC 5321 section 5.1, RFC 7505 (null MX), RFC 2782 (SRV); Exim manual, "The dnslookup router".
 */
import { parseIp } from '../../base/ip.ts'
import type { DnsRecord } from '../../ports.ts'
import type { RouteHost } from '../routed.ts'
import { findHost, type HostFound, type HostQuestion } from './find-hosts.ts'
import type { RouterWork } from './types.ts'

export type MxFound =
  | (HostFound & { readonly is: 'found' } & {
      /** This host was among them and is left out, with all that come after it. */
      readonly secondary: boolean
    })
  | Exclude<HostFound, { readonly is: 'found' }>
  /** There are no such records. */
  | { readonly is: 'absent'; readonly domainExists: boolean }
  /** The domain says that it takes no mail. */
  | { readonly is: 'null' }

interface Exchange {
  readonly name: string
  readonly port: number | undefined
  readonly preference: number
}

/** More records than this are not looked at. */
const recordLimit = 50

/** For `name/MX` in a host list: absence counts as a host that is not found. */
export async function hostsOfMx(question: HostQuestion, work: RouterWork): Promise<HostFound> {
  const found = await findMx(question.name, question, work)
  return found.is === 'absent' || found.is === 'null' ? { is: 'none' } : found
}

export async function findMx(
  domain: string,
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer' | 'port'>,
  work: RouterWork,
): Promise<MxFound> {
  const answer = await work.context.ports.dns(domain, 'MX', { dnssec: true })
  if (answer.status === 'again') return { is: 'again' }
  const records = answer.records.flatMap((record) => (record.type === 'MX' ? [record] : []))
  if (records.length === 0) return { is: 'absent', domainExists: answer.status !== 'nxdomain' }
  if (records.some((record) => record.exchange === '.') && records.length === 1) return { is: 'null' }
  const exchanges = shuffled(records, work)
    .sort((a, b) => a.preference - b.preference)
    .map((record) => ({ name: record.exchange, port: options.port, preference: record.preference }))
  return collect(exchanges, options, work)
}

/** Source: Exim manual, "check_srv"; the order is that of RFC 2782. */
export async function findSrv(
  service: string,
  domain: string,
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer'>,
  work: RouterWork,
): Promise<MxFound> {
  const answer = await work.context.ports.dns(`_${service}._tcp.${domain}`, 'SRV', { dnssec: true })
  if (answer.status === 'again') return { is: 'again' }
  const records = answer.records.flatMap((record) => (record.type === 'SRV' ? [record] : []))
  if (records.length === 0) return { is: 'absent', domainExists: true }
  if (records.length === 1 && records[0]?.target === '.') return { is: 'null' }
  const exchanges = weighed(records, work).map((record) => ({
    name: record.target,
    port: record.port,
    preference: record.priority,
  }))
  return collect(exchanges, options, work)
}

type SrvRecord = DnsRecord & { readonly type: 'SRV' | 'CSA' }

/** Lowest priority first; within one, chance in proportion to the weight: RFC 2782, "Weight". */
function weighed(records: readonly SrvRecord[], { context }: RouterWork): SrvRecord[] {
  const rest = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight)
  const list: SrvRecord[] = []
  while (rest.length > 0) {
    const group = rest.filter((record) => record.priority === rest[0]?.priority)
    let mark = context.ports.random(group.reduce((sum, record) => sum + record.weight, 0) + 1)
    const chosen = group.find((record) => (mark -= record.weight) <= 0) ?? group[0]
    if (chosen === undefined) break
    list.push(chosen)
    rest.splice(rest.indexOf(chosen), 1)
  }
  return list
}

function shuffled<T>(items: readonly T[], { context }: RouterWork): T[] {
  const rest = items.slice(0, recordLimit)
  const list: T[] = []
  while (rest.length > 0) list.push(...rest.splice(context.ports.random(rest.length), 1))
  return list
}

/** Looks up each host; leaves out this one and all of equal or lower priority. */
async function collect(
  exchanges: readonly Exchange[],
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer'>,
  work: RouterWork,
): Promise<MxFound> {
  const hosts: RouteHost[] = []
  let localPreference = Number.POSITIVE_INFINITY
  let localName: string | undefined
  const misses = new Set<HostFound['is']>()
  for (const exchange of exchanges) {
    if (exchange.preference > localPreference) break
    const found = await findExchange(exchange, options, work)
    if (found.is === 'defer') return found
    if (found.is !== 'found') {
      misses.add(found.is)
      continue
    }
    if (found.localAt !== undefined) {
      localPreference = exchange.preference
      localName ??= exchange.name
    }
    hosts.push(...found.hosts)
  }
  if (hosts.length === 0) {
    if (misses.has('again')) return { is: 'again' }
    if (misses.has('insecure')) return { is: 'insecure' }
    return misses.has('ignored') ? { is: 'ignored' } : { is: 'none' }
  }
  const better = hosts.filter((host) => (host.mx ?? 0) < localPreference)
  if (localName === undefined) return { is: 'found', hosts, localAt: undefined, secondary: false }
  if (better.length > 0) return { is: 'found', hosts: better, localAt: undefined, secondary: true }
  // `$self_hostname` is the name under which this host was found.
  const mine = hosts.filter((host) => host.name === localName)
  const others = hosts.filter((host) => host.name !== localName)
  return { is: 'found', hosts: [...mine, ...others], localAt: 0, secondary: true }
}

function findExchange(
  { name, port, preference }: Exchange,
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer'>,
  work: RouterWork,
): Promise<HostFound> {
  // An MX record that holds an address is a mistake of the domain: RFC 5321 section 5.1.
  if (parseIp(name) !== undefined && !work.context.settings.allow_mx_to_ip)
    return Promise.resolve({ is: 'none' })
  const { ipv4Only, ipv4Prefer } = options
  return findHost({ name, port, mx: preference, method: 'bydns', ipv4Only, ipv4Prefer }, work)
}
