/**
 * The stub resolver: asks the configured name servers, follows CNAME chains, keeps answers.
 * Source: RFC 1034 section 5.3, RFC 2308 (negative answers), RFC 5452 (forged answers); Exim manual, main options
 * `dns_...`.
 */
import { randomInt } from 'node:crypto'
import type { Awaitable } from '../../base/outcome.ts'
import type { Expandable } from '../../base/expandable.ts'
import type { Context, DnsAnswer, DnsAsk, DnsType, HostAddresses, Ports } from '../../ports.ts'
import { compileRegex } from '../../base/regex.ts'
import { createCache } from './cache.ts'
import { exchangeTcp, exchangeUdp, type Exchange } from './exchange.ts'
import { createHostAddresses } from './host-addresses.ts'
import { answerFrom, type Chain } from './answer.ts'
import type { Query, Reply } from './message.ts'
import { defaultNamesPattern, fitsTheWire, isPlausibleName } from './names.ts'
import {
  type HostsEntry,
  type NameServer,
  parseHosts,
  parseResolvConf,
  parseServers,
  type ResolverSetup,
  watchedFile,
} from './servers.ts'

/** Main options of Exim that concern the resolver. */
export type ResolverSettings = Pick<
  Context['settings'],
  | 'disable_ipv6'
  | 'dns_again_means_nonexist'
  | 'dns_check_names_pattern'
  | 'dns_cname_loops'
  | 'dns_dnssec_ok'
  | 'dns_ipv4_lookup'
  | 'dns_retrans'
  | 'dns_retry'
  | 'dns_trust_aa'
  | 'dns_use_edns0'
>

export interface ResolverOptions {
  readonly settings?: Partial<ResolverSettings>
  /** Where `POSTERN_DNS` is looked up; the caller leaves it out when it must not count. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Name servers to ask instead of all others. */
  readonly servers?: readonly NameServer[]
  /** Matches a domain against one of the domain lists among the settings; left out: nothing matches. */
  readonly matches?: (list: Expandable, domain: string) => Awaitable<boolean>
  readonly resolvConf?: string
  readonly hostsFile?: string
  readonly now?: () => number
  readonly random?: (limit: number) => number
  readonly udp?: Exchange
  readonly tcp?: Exchange
}

export interface Resolver {
  readonly dns: Ports['dns']
  readonly hostAddresses: Ports['hostAddresses']
  /** Domains that complete a name (`qualify_single`, `search_parents`). */
  searchDomains(): readonly string[]
  /** Names of an address in /etc/hosts. */
  hostsFileNames(address: string): readonly string[]
}

/** Questions on the way at once; more than some hundred lose packets (measured). */
const inFlightLimit = 100
/** Questions that may wait for their turn; beyond, the answer is `again` at once. */
const waitingLimit = 10_000
const cacheLimit = 20_000
const longestTtl = 86_400
/** Without SOA, and for `again`: RFC 2308 section 7 allows at most five minutes for failures. */
const negativeTtlDefault = 60
const longestNegativeTtl = 3600
/** A server that did not answer is asked last for so long. */
const deadForMs = 30_000
const longestChain = 12

export function createResolver(options: ResolverOptions = {}): Resolver {
  const now = options.now ?? Date.now
  const random = options.random ?? ((limit: number) => randomInt(limit))
  const settings = options.settings ?? {}
  const udp = options.udp ?? exchangeUdp
  const tcp = options.tcp ?? exchangeTcp
  const setup = watchedFile(options.resolvConf ?? '/etc/resolv.conf', parseResolvConf, now)
  const hosts = watchedFile(options.hostsFile ?? '/etc/hosts', parseHosts, now)
  const chosen = options.servers ?? parseServers(options.environment?.['POSTERN_DNS'] ?? '')
  const cache = createCache<DnsAnswer>(cacheLimit, now)
  const pending = new Map<string, Promise<DnsAnswer>>()
  const deadUntil = new Map<string, number>()
  const namesPattern = namesPatternOf(settings.dns_check_names_pattern)
  const gate = createGate(inFlightLimit, waitingLimit)

  const listMatches = async (list: Expandable | undefined, domain: string): Promise<boolean> =>
    list !== undefined && options.matches !== undefined && (await options.matches(list, domain))

  async function dns(name: string, type: DnsType, ask: DnsAsk = {}): Promise<DnsAnswer> {
    if (!mayAsk(name)) return nothing('nxdomain', name)
    const dnssec = ask.dnssec === true || settings.dns_dnssec_ok === 1
    const key = `${type} ${dnssec ? 'D' : '-'} ${name.toLowerCase()}`
    const patient = ask.retransSeconds === undefined && ask.retry === undefined
    // Who asked with less patience must not decide for the others.
    const waitKey = patient ? key : `${key} ${ask.retransSeconds} ${ask.retry}`
    const known = cache.get(key) ?? cache.get(waitKey) ?? pending.get(waitKey)
    if (known !== undefined) return known
    const asking = resolve(name, type, { ...ask, dnssec }, key, waitKey).finally(() =>
      pending.delete(waitKey),
    )
    pending.set(waitKey, asking)
    return asking
  }

  function mayAsk(name: string): boolean {
    return fitsTheWire(name) && namesPattern(name)
  }

  async function resolve(
    name: string,
    type: DnsType,
    how: DnsAsk,
    key: string,
    waitKey: string,
  ): Promise<DnsAnswer> {
    const chain: Chain = {
      asked: type,
      name,
      seen: new Set([name.toLowerCase()]),
      authenticated: true,
      ttl: longestTtl,
    }
    for (let step = 0; step < longestChain; step++) {
      const reply = await ask(chain.name, type, how)
      if (reply === undefined) return again(name, waitKey)
      const trusted =
        reply.authenticData || (reply.authoritative && (await listMatches(settings.dns_trust_aa, name)))
      const found = answerFrom(reply, chain, trusted)
      if (found.is === 'loop') return again(name, waitKey)
      if (found.is === 'follow') continue
      const least = found.answer.status === 'found' ? 0 : negativeTtlDefault
      const most = found.answer.status === 'found' ? longestTtl : longestNegativeTtl
      cache.put(key, found.answer, Math.min(found.ttl ?? least, most))
      return found.answer
    }
    return again(name, waitKey)
  }

  /** Names whose failure is to be taken for absence: Exim manual, "dns_again_means_nonexist". */
  async function again(name: string, key: string): Promise<DnsAnswer> {
    const absent = await listMatches(settings.dns_again_means_nonexist, name)
    const answer = nothing(absent ? 'nxdomain' : 'again', name)
    // A short memory keeps a dead server from holding up every session that asks the same.
    cache.put(key, answer, absent ? negativeTtlDefault : 5)
    return answer
  }

  /** Undefined: no server gave an answer that can be used. */
  async function ask(name: string, type: DnsType, how: DnsAsk): Promise<Reply | undefined> {
    if (!(await gate.enter())) return undefined
    try {
      const question = { name, type, dnssecOk: how.dnssec === true, edns: settings.dns_use_edns0 !== 0 }
      return await askServers(question, how)
    } finally {
      gate.leave()
    }
  }

  async function askServers(question: Omit<Query, 'id'>, how: DnsAsk): Promise<Reply | undefined> {
    const { servers, ...usual } = serversNow()
    const attempts = how.retry ?? usual.attempts
    const timeoutSeconds = how.retransSeconds ?? usual.timeoutSeconds
    let edns = question.edns
    for (let round = 0; round < attempts; round++) {
      // As the C library does: twice as long each round, shared among the servers.
      const timeoutMs = Math.max(
        1000,
        (timeoutSeconds * 1000 * 2 ** round) / (round === 0 ? 1 : servers.length),
      )
      for (const server of livingFirst(servers)) {
        const query = (): Query => ({ ...question, edns, id: randomInt(65_536) })
        let reply = await udp(query(), server, timeoutMs)
        // An old server that does not know EDNS: RFC 6891 section 7.
        if (typeof reply !== 'string' && reply.rcode === 'FORMERR' && edns) {
          edns = false
          reply = await udp(query(), server, timeoutMs)
        }
        if (typeof reply !== 'string' && reply.truncated) reply = await tcp(query(), server, timeoutMs)
        if (typeof reply === 'string') {
          deadUntil.set(serverKey(server), now() + deadForMs)
          continue
        }
        deadUntil.delete(serverKey(server))
        if (reply.rcode === 'NOERROR' || reply.rcode === 'NXDOMAIN') return reply
      }
    }
    return undefined
  }

  function serversNow(): ResolverSetup {
    const read = setup()
    const servers = chosen.length > 0 ? chosen : read.servers
    return {
      ...read,
      servers,
      timeoutSeconds: settings.dns_retrans || read.timeoutSeconds,
      attempts: settings.dns_retry || read.attempts,
    }
  }

  function livingFirst(servers: readonly NameServer[]): NameServer[] {
    const dead = (server: NameServer): boolean => (deadUntil.get(serverKey(server)) ?? 0) > now()
    const living = servers.filter((server) => !dead(server))
    return living.length > 0 ? living : [...servers]
  }

  const hostEntries = (): readonly HostsEntry[] => hosts()
  const hostAddresses: (name: string, ask?: Parameters<Ports['hostAddresses']>[1]) => Promise<HostAddresses> =
    createHostAddresses({
      dns,
      hosts: hostEntries,
      random,
      search: () => setup().search,
      ipv4Only: async (name) =>
        settings.disable_ipv6 === true || (await listMatches(settings.dns_ipv4_lookup, name)),
    })

  return {
    dns,
    hostAddresses,
    searchDomains: () => setup().search,
    hostsFileNames: (address) => hostEntries().find((entry) => entry.address === address)?.names ?? [],
  }
}

/** Source: Exim manual, "dns_check_names_pattern". A pattern that does not compile lets no name through. */
function namesPatternOf(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined || pattern === defaultNamesPattern) return isPlausibleName
  if (pattern === '') return () => true
  const regex = compileRegex(pattern, { caseless: false })
  return (name) => {
    const found = 'error' in regex ? undefined : regex.match(name)
    return found !== undefined && !('error' in found)
  }
}

function nothing(status: 'nxdomain' | 'again', name: string): DnsAnswer {
  return { status, records: [], authenticated: false, canonicalName: name }
}

function serverKey(server: NameServer): string {
  return `${server.address} ${server.port}`
}

/** Lets so many in at once and so many wait. */
function createGate(limit: number, waitingLimitOfGate: number): { enter(): Promise<boolean>; leave(): void } {
  let inside = 0
  const waiting: ((admitted: boolean) => void)[] = []
  return {
    enter() {
      if (inside < limit) {
        inside++
        return Promise.resolve(true)
      }
      if (waiting.length >= waitingLimitOfGate) return Promise.resolve(false)
      return new Promise((resolve) => waiting.push(resolve))
    },
    leave() {
      const next = waiting.shift()
      if (next === undefined) inside--
      else next(true)
    },
  }
}
