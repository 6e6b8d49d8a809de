/**
 * Hosts of a domain's MX and SRV records, in the order to try.
 * Source: RFC 5321 section 5.1, RFC 7505 (null MX), RFC 2782 (SRV); Exim manual, "The dnslookup router".
 */
import { raiseDnsFail } from '../dns-fail.ts'
import { parseIp } from '../../base/ip.ts'
import type { DnsRecord } from '../../ports.ts'
import type { RouteHost } from '../routed.ts'
import { findHost, requestsDnssec, requiresDnssec, type HostFound, type HostQuestion } from './find-hosts.ts'
import type { RouterWork } from './types.ts'

export type MxFound =
  | (Extract<HostFound, { readonly is: 'found' }> & {
      /** This host was among them and is left out, with all that come after it. */
      readonly secondary: boolean
      /** All hosts, those that cannot be used among them, as `-bt` shows them. */
      readonly shown?: readonly ShownHost[]
    })
  | Exclude<HostFound, { readonly is: 'found' }>
  /** There are no such records. */
  | { readonly is: 'absent'; readonly domainExists: boolean }
  /** The domain says that it takes no mail. */
  | { readonly is: 'null' }
  /** There are records, and none of them leads to a host. */
  | { readonly is: 'useless'; readonly toAddresses: boolean }

/** A host as `-bt` shows it. */
export type ShownHost = RouteHost & { readonly unusable?: true }

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
  return found.is === 'absent' || found.is === 'null' || found.is === 'useless' ? { is: 'none' } : found
}

export async function findMx(
  domain: string,
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer' | 'port'>,
  work: RouterWork,
): Promise<MxFound> {
  const answer = await work.context.ports.dns(domain, 'MX', { dnssec: await requestsDnssec(work) })
  if (answer.status === 'again' || answer.status === 'nxdomain') {
    await raiseDnsFail(answer.status, domain, 'MX', work.context)
  }
  if (answer.status === 'again') return { is: 'again' }
  // What names the hosts must be as trustworthy as their addresses.
  if (answer.records.length > 0 && !answer.authenticated && (await requiresDnssec(work)))
    return { is: 'insecure' }
  const records = answer.records.flatMap((record) => (record.type === 'MX' ? [record] : []))
  if (records.length === 0) return { is: 'absent', domainExists: answer.status !== 'nxdomain' }
  if (records.some((record) => record.exchange === '.') && records.length === 1) return { is: 'null' }
  const exchanges = shuffled(records, work)
    .sort((a, b) => a.preference - b.preference)
    .map((record) => ({ name: record.exchange, port: options.port, preference: record.preference }))
  return collect(exchanges, options, work, answer.authenticated)
}

/** Source: Exim manual, "check_srv"; the order is that of RFC 2782. */
export async function findSrv(
  service: string,
  domain: string,
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer'>,
  work: RouterWork,
): Promise<MxFound> {
  const answer = await work.context.ports.dns(`_${service}._tcp.${domain}`, 'SRV', {
    dnssec: await requestsDnssec(work),
  })
  if (answer.status === 'again') {
    await raiseDnsFail('again', `_${service}._tcp.${domain}`, 'SRV', work.context)
    return { is: 'again' }
  }
  if (answer.records.length > 0 && !answer.authenticated && (await requiresDnssec(work)))
    return { is: 'insecure' }
  const records = answer.records.flatMap((record) => (record.type === 'SRV' ? [record] : []))
  if (records.length === 0) return { is: 'absent', domainExists: true }
  if (records.length === 1 && records[0]?.target === '.') return { is: 'null' }
  const exchanges = weighed(records, work).map((record) => ({
    name: record.target,
    port: record.port,
    preference: record.priority,
  }))
  return collect(exchanges, options, work, answer.authenticated)
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
  secure: boolean,
): Promise<MxFound> {
  const hosts: ShownHost[] = []
  const local = { preference: Number.POSITIVE_INFINITY, name: '' }
  const misses = new Set<HostFound['is'] | 'address'>()
  for (const exchange of exchanges) {
    const found = await findExchange(exchange, options, work)
    if (found.is === 'defer') return found
    if (found.is !== 'found') {
      misses.add(found.is)
      if (found.is === 'ignored') continue
      const { name, port, preference } = exchange
      const shownName = name === '.' ? '' : name
      hosts.push({ name: shownName, address: undefined, port, mx: preference, dnssec: false, unusable: true })
      continue
    }
    if (found.localAt !== undefined && exchange.preference < local.preference) {
      local.preference = exchange.preference
      local.name = found.hosts[0]?.name ?? exchange.name
    }
    // Who names a host must be as trustworthy as its address: RFC 7672 section 2.2.1.
    hosts.push(...found.hosts.map((host) => ({ ...host, dnssec: host.dnssec && secure })))
  }
  if (!hosts.some(isUsable)) return missed(misses)
  const better = hosts.filter((host) => (host.mx ?? 0) < local.preference)
  if (local.name === '') return foundHosts(hosts, undefined, false)
  if (better.some(isUsable)) return foundHosts(better, undefined, true)
  // `$self_hostname` is the name under which this host was found.
  const mine = hosts.filter((host) => host.name === local.name)
  const others = hosts.filter((host) => host.name !== local.name)
  return foundHosts([...mine, ...others], 0, true)
}

function isUsable({ unusable }: ShownHost): boolean {
  return unusable !== true
}

function foundHosts(shown: readonly ShownHost[], localAt: number | undefined, secondary: boolean): MxFound {
  return { is: 'found', hosts: shown.filter(isUsable), shown, localAt, secondary }
}

function missed(misses: ReadonlySet<HostFound['is'] | 'address'>): MxFound {
  if (misses.has('again')) return { is: 'again' }
  if (misses.has('insecure')) return { is: 'insecure' }
  if (misses.has('ignored')) return { is: 'ignored' }
  return { is: 'useless', toAddresses: misses.has('address') }
}

function findExchange(
  { name, port, preference }: Exchange,
  options: Pick<HostQuestion, 'ipv4Only' | 'ipv4Prefer'>,
  work: RouterWork,
): Promise<HostFound | { readonly is: 'address' }> {
  // An MX record that holds an address is a mistake of the domain: RFC 5321 section 5.1.
  if (parseIp(name) !== undefined && !work.context.settings.allow_mx_to_ip)
    return Promise.resolve({ is: 'address' })
  const { ipv4Only, ipv4Prefer } = options
  return findHost({ name, port, mx: preference, method: 'bydns', ipv4Only, ipv4Prefer }, work)
}
