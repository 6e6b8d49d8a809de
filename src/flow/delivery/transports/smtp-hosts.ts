/** Which hosts an smtp delivery tries, in order, with their addresses. Source: Exim manual, "The smtp transport". */
import { parseIp } from '../../../base/ip.ts'
import { Failure } from '../../../base/outcome.ts'
import { textOf, type ByteString } from '../../../base/text.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { Context } from '../../../ports.ts'
import type { RouteHost } from '../../routed.ts'
import { raiseDnsFail } from '../../dns-fail.ts'
import { expanded, expandedBoolean } from '../expanding.ts'
import type { SmtpSettings } from './smtp.options.ts'

/** One address of a host, to be connected to. */
export interface Place {
  readonly name: ByteString
  readonly address: string
  readonly port: number
  /** From an MX record: `refused_MX` in retry rules. */
  readonly mx: boolean
  readonly dnssec: boolean
}

/** Hosts named by the transport itself (`hosts`, `fallback_hosts`), in the order they are to be tried. */
export async function hostsOfOption(
  option: Expandable | undefined,
  randomize: Expandable | undefined,
  context: Context,
): Promise<readonly RouteHost[] | Failure> {
  const value = await expanded(option, context)
  if (value === undefined || value instanceof Failure) return value ?? []
  const shuffle = await expandedBoolean(randomize, context, false)
  if (shuffle instanceof Failure) return shuffle
  const groups: RouteHost[][] = [[]]
  for (const item of context.ports.splitList(value)) {
    const text = textOf(item)
    if (text === '+') groups.push([])
    else if (text !== '') groups.at(-1)?.push(readHost(text))
  }
  if (shuffle) for (const group of groups) shuffleInPlace(group, (limit) => context.ports.random(limit))
  return groups.flat()
}

/** `name`, `name:port`, `[address]:port`, `::1` and `name/mx`. */
export function readHost(text: ByteString): RouteHost {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text)
  const plain = /^([^:]+):(\d+)$/.exec(text)
  const match = bracketed ?? plain
  return {
    name: match?.[1] ?? text,
    address: undefined,
    port: match?.[2] === undefined ? undefined : Number(match[2]),
    mx: undefined,
    dnssec: false,
  }
}

function shuffleInPlace<T>(items: T[], random: (limit: number) => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random(i + 1)
    // Both indexes are inside the array.
    const kept = items[i] as T
    items[i] = items[j] as T
    items[j] = kept
  }
}

type LookupSettings = Pick<
  SmtpSettings,
  | 'dns_qualify_single'
  | 'dns_search_parents'
  | 'dnssec_request_domains'
  | 'dnssec_require_domains'
  | 'gethostbyname'
>

/** A list that cannot be read asks for security all the same. */
async function domainListed(list: Expandable | undefined, name: string, context: Context): Promise<boolean> {
  if (list === undefined || list.text === '') return false
  if (list.text === '*') return true
  return (await context.ports.matchList('domain', list, name, context)).is !== 'no'
}

/** The addresses of a host; `again`: the name could not be looked up now; `none`: there is no such name. */
export async function placesOf(
  host: RouteHost,
  port: number,
  context: Context,
  settings: LookupSettings,
): Promise<readonly Place[] | 'again' | 'none' | 'insecure'> {
  const own = {
    name: host.name,
    port: host.port ?? port,
    mx: host.mx !== undefined && host.mx >= 0,
    dnssec: host.dnssec,
  }
  const known = host.address ?? (isAddress(host.name) ? host.name : undefined)
  if (known !== undefined)
    return [{ name: own.name, port: own.port, mx: own.mx, dnssec: own.dnssec, address: known }]
  const required = await domainListed(settings.dnssec_require_domains, host.name, context)
  const requested = required || (await domainListed(settings.dnssec_request_domains, host.name, context))
  const found = await context.ports.hostAddresses(host.name, {
    ipv4Only: context.settings.disable_ipv6,
    dnssec: requested,
    ...(settings.gethostbyname
      ? { method: 'byname' as const }
      : { complete: { single: settings.dns_qualify_single, parents: settings.dns_search_parents } }),
  })
  if (found.is !== 'found') {
    await raiseDnsFail(found.is === 'again' ? 'again' : 'nxdomain', host.name, 'A', context)
    return found.is
  }
  if (required && !found.dnssec) return 'insecure'
  const { addresses, dnssec, fullName: name = host.name } = found
  return addresses.map((address) => ({ ...own, name, address, dnssec }))
}

/** An IPv4 or IPv6 address in text form. */
export function isAddress(text: string): boolean {
  return parseIp(text) !== undefined
}
