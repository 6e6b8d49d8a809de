/**
 * Finds the addresses of hosts and tells which of them are this host.
 * Source: Exim manual, "How the list of hosts is used", "ignore_target_hosts", "Recognizing the local host".
 */
import { raiseDnsFail } from '../dns-fail.ts'
import { formatIp, parseIp, unmapped } from '../../base/ip.ts'
import type { Context, HostAddresses } from '../../ports.ts'
import type { RouteHost } from '../routed.ts'
import type { RouterWork } from './types.ts'
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'

export interface HostQuestion {
  readonly name: string
  readonly port: number | undefined
  readonly mx: number | undefined
  readonly method: 'byname' | 'bydns' | 'both'
  readonly ipv4Only: boolean
  readonly ipv4Prefer: boolean
}

export type HostFound =
  /** `localAt`: index of the first address that is this host. */
  | { readonly is: 'found'; readonly hosts: readonly RouteHost[]; readonly localAt: number | undefined }
  /** It has addresses, but `ignore_target_hosts` covers all of them. */
  | { readonly is: 'ignored' }
  | { readonly is: 'none' }
  | { readonly is: 'again' }
  | { readonly is: 'insecure' }
  | { readonly is: 'defer'; readonly message: string }

export async function findHost(question: HostQuestion, work: RouterWork): Promise<HostFound> {
  const { context } = work
  const answer = await addressesOf(question, work)
  if (answer.is !== 'found') return answer
  if (!answer.dnssec && parseIp(question.name) === undefined && (await requiresDnssec(work)))
    return { is: 'insecure' }
  const translated = await translate(answer.addresses, work)
  if (typeof translated === 'string') return { is: 'defer', message: translated }
  const hosts: RouteHost[] = []
  for (const address of sorted(translated, question.ipv4Prefer)) {
    const { port, mx } = question
    // Names that are aliases give way to what they stand for.
    const name = parseIp(question.name) === undefined ? answer.canonicalName : question.name
    const ignored = await isIgnored({ address, name }, work)
    if (typeof ignored === 'string') return { is: 'defer', message: ignored }
    if (ignored) continue
    hosts.push({ name, address, port, mx, dnssec: answer.dnssec })
  }
  if (hosts.length === 0) return { is: 'ignored' }
  const treated = await isTreatedAsLocal(question.name, context)
  const localAt = treated ? 0 : hosts.findIndex((host) => isLocalAddress(host.address, context))
  return { is: 'found', hosts, localAt: localAt < 0 ? undefined : localAt }
}

async function addressesOf(question: HostQuestion, work: RouterWork): Promise<HostAddresses> {
  const { name, method, ipv4Only } = question
  const ip = parseIp(name)
  if (ip !== undefined) {
    return { is: 'found', addresses: [formatIp(ip)], canonicalName: name, dnssec: false }
  }
  const dnssec = await requestsDnssec(work)
  const found = await work.context.ports.hostAddresses(name, { method, ipv4Only, dnssec })
  if (found.is !== 'found') {
    await raiseDnsFail(found.is === 'again' ? 'again' : 'nxdomain', name, 'A', work.context)
  }
  return found
}

/** `dnssec_request_domains` covers the domain, or `dnssec_require_domains` does. */
export async function requestsDnssec(work: RouterWork): Promise<boolean> {
  const list = work.router.settings.dnssec_request_domains
  if (list.text === '*') return true
  const result = await work.context.ports.matchList('domain', list, work.facts.domain, work.context)
  return result.is === 'match' || (await requiresDnssec(work))
}

/** `dnssec_require_domains` covers the domain that is being routed. */
export async function requiresDnssec(work: RouterWork): Promise<boolean> {
  const list = work.router.settings.dnssec_require_domains
  if (list === undefined) return false
  const result = await work.context.ports.matchList('domain', list, work.facts.domain, work.context)
  // A list that cannot be read asks for security all the same.
  return result.is !== 'no'
}

function sorted(addresses: readonly string[], ipv4First: boolean): string[] {
  if (!ipv4First) return [...addresses]
  const isV6 = (address: string): boolean => address.includes(':')
  return [...addresses.filter((address) => !isV6(address)), ...addresses.filter(isV6)]
}

/** A text is what went wrong. */
async function isIgnored(
  host: { readonly address: string; readonly name: string },
  work: RouterWork,
): Promise<boolean | string> {
  const list = work.router.settings.ignore_target_hosts
  if (list === undefined) return false
  const context = withHost(host.address, work)
  const result = await context.ports.matchList('host', list, host, context)
  if (result.is === 'defer' || result.is === 'failure') return `ignore_target_hosts: ${result.message}`
  return result.is === 'match'
}

function withHost(hostAddress: string, { context, router }: RouterWork): Context {
  return {
    ...context,
    delivery: { routerName: router.name, transportName: '', ...context.delivery, hostAddress },
  }
}

/** Source: Exim manual, "translate_ip_address". */
async function translate(
  addresses: readonly string[],
  work: RouterWork,
): Promise<readonly string[] | string> {
  const option = work.router.settings.translate_ip_address
  if (option === undefined) return addresses
  const translated: string[] = []
  for (const address of addresses) {
    const value = await work.context.ports.expand(option, withHost(address, work))
    if (isFailure(value)) {
      if (value.kind !== 'forced')
        return `failed to expand "${option.text}" for translate_ip_address: ${value.message}`
      translated.push(address)
      continue
    }
    const text = textOf(value)
    if (parseIp(text) !== undefined) {
      translated.push(text)
      continue
    }
    const found = await work.context.ports.hostAddresses(text, { method: 'byname' })
    if (found.is !== 'found') return `host lookup for "${text}" (translate_ip_address) failed`
    translated.push(...found.addresses)
  }
  return translated
}

/** `hosts_treat_as_local` covers the name. */
export async function isTreatedAsLocal(name: string, context: Context): Promise<boolean> {
  const list = context.settings.hosts_treat_as_local
  if (list === undefined) return false
  return (await context.ports.matchList('domain', list, name, context)).is === 'match'
}

export function isLocalAddress(address: string | undefined, { server }: Context): boolean {
  const ip = address === undefined ? undefined : parseIp(address)
  if (ip === undefined) return false
  const wanted = formatIp(unmapped(ip))
  return server.localInterfaces().some((known) => {
    const mine = parseIp(known)
    return mine !== undefined && formatIp(unmapped(mine)) === wanted
  })
}
