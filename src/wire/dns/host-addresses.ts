/** The addresses of a host name: /etc/hosts and A and AAAA records. Source: Exim manual, "Format of one host item". */
import { parseIp } from '../../base/ip.ts'
import type { DnsAnswer, HostAddresses, Ports } from '../../ports.ts'
import { completedNames } from './names.ts'
import type { HostsEntry } from './servers.ts'

export interface HostAddressSources {
  readonly dns: Ports['dns']
  readonly hosts: () => readonly HostsEntry[]
  readonly random: (limit: number) => number
  /** `disable_ipv6`, or `dns_ipv4_lookup` matches the name. */
  readonly ipv4Only: (name: string) => Promise<boolean>
  /** Domains that complete a name. */
  readonly search: () => readonly string[]
}

/** Order: IPv6 before IPv4, each shuffled, as Exim sorts them. */
export function createHostAddresses(sources: HostAddressSources): Ports['hostAddresses'] {
  return async (name, options = {}) => {
    if (options.complete === undefined || isKnownHere(name, sources))
      return addressesOfName(name, options, sources)
    for (const each of completedNames(name, options.complete, sources.search())) {
      const answer = await addressesOfName(each, options, sources)
      if (answer.is === 'none') continue
      return answer.is === 'found' && each !== name ? { ...answer, fullName: each } : answer
    }
    return { is: 'none' }
  }
}

/** An address, or a name that /etc/hosts has: short for nothing. */
function isKnownHere(name: string, sources: HostAddressSources): boolean {
  const bare = name.toLowerCase().replace(/\.$/, '')
  return (
    parseIp(name) !== undefined || isLocalhost(bare) || fromHosts(bare, false, sources.hosts()) !== undefined
  )
}

/** Never asked of a name server: RFC 6761 section 6.3. */
function isLocalhost(bare: string): boolean {
  return bare === 'localhost' || bare.endsWith('.localhost')
}

async function addressesOfName(
  name: string,
  options: NonNullable<Parameters<Ports['hostAddresses']>[1]>,
  sources: HostAddressSources,
): Promise<HostAddresses> {
  if (parseIp(name) !== undefined) return found([name], name, false)
  const ipv4Only = options.ipv4Only === true || (await sources.ipv4Only(name))
  const method = options.method ?? 'byname'
  const bare = name.toLowerCase().replace(/\.$/, '')
  const local = isLocalhost(bare)
  if (method === 'byname' || local) {
    const known = fromHosts(bare, ipv4Only, sources.hosts())
    if (known !== undefined) return known
    if (local) return found(ipv4Only ? ['127.0.0.1'] : ['::1', '127.0.0.1'], bare, false)
  }
  const answer = await fromDns(name, ipv4Only, options.dnssec === true, sources)
  if (method === 'both' && answer.is === 'none') return fromHosts(bare, ipv4Only, sources.hosts()) ?? answer
  return answer
}

function found(addresses: readonly string[], canonicalName: string, dnssec: boolean): HostAddresses {
  return { is: 'found', addresses, canonicalName, dnssec }
}

function fromHosts(
  name: string,
  ipv4Only: boolean,
  entries: readonly HostsEntry[],
): HostAddresses | undefined {
  const mine = entries.filter(
    (entry) =>
      entry.names.some((known) => known.toLowerCase() === name) &&
      (!ipv4Only || !entry.address.includes(':')),
  )
  const first = mine[0]
  if (first === undefined) return undefined
  const v6 = mine.filter((entry) => entry.address.includes(':'))
  const v4 = mine.filter((entry) => !entry.address.includes(':'))
  return found(
    [...v6, ...v4].map((entry) => entry.address),
    first.names[0] ?? name,
    false,
  )
}

async function fromDns(
  name: string,
  ipv4Only: boolean,
  dnssec: boolean,
  sources: HostAddressSources,
): Promise<HostAddresses> {
  const answers = await Promise.all([
    ipv4Only ? undefined : sources.dns(name, 'AAAA', { dnssec }),
    sources.dns(name, 'A', { dnssec }),
  ])
  const asked = answers.filter((answer) => answer !== undefined)
  const addresses = asked.flatMap((answer) => shuffled(addressesOf(answer), sources.random))
  const last = asked.at(-1)
  if (addresses.length > 0) {
    const some = asked.filter((answer) => answer.records.length > 0)
    return found(
      addresses,
      some[0]?.canonicalName ?? name,
      some.every((answer) => answer.authenticated),
    )
  }
  if (last === undefined || asked.some((answer) => answer.status === 'again')) return { is: 'again' }
  return { is: 'none' }
}

function addressesOf(answer: DnsAnswer): string[] {
  return answer.records.flatMap((record) =>
    record.type === 'A' || record.type === 'AAAA' ? [record.value] : [],
  )
}

function shuffled<T>(items: readonly T[], random: (limit: number) => number): T[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = random(i + 1)
    const [a, b] = [list[i], list[j]]
    if (a !== undefined && b !== undefined) {
      list[i] = b
      list[j] = a
    }
  }
  return list
}
