/**
 * Puts addresses together that can share one delivery: one SMTP transaction, one file write, one command.
 * Source: Exim manual, "How Exim receives and delivers mail"; "Address batching in local transports".
 */
import { Failure } from '../../base/outcome.ts'
import { textOf, type ByteString } from '../../base/text.ts'
import type { RoutedAddress, RouteHost } from '../routed.ts'

/** How many addresses a batch may hold, and what they must share. */
export interface BatchLimits {
  /** 0: no limit. */
  readonly most: number
  /** False: all of one domain. */
  readonly multiDomain: boolean
  /** What else must be equal: the expanded `batch_id`; undefined when there is none. */
  identity?(routed: RoutedAddress): string
}

/** Splits the addresses into batches, in the order of their first addresses. */
export function batches(
  addresses: readonly RoutedAddress[],
  limitsOf: (routed: RoutedAddress) => BatchLimits,
): RoutedAddress[][] {
  if (addresses.length === 1) return [[...addresses]]
  const result: RoutedAddress[][] = []
  const open = new Map<string, RoutedAddress[]>()
  for (const routed of addresses) {
    const limits = limitsOf(routed)
    if (limits.most === 1) {
      result.push([routed])
      continue
    }
    const key = shareKey(routed, limits)
    const batch = open.get(key)
    if (batch !== undefined && (limits.most <= 0 || batch.length < limits.most)) {
      batch.push(routed)
      continue
    }
    const fresh = [routed]
    open.set(key, fresh)
    result.push(fresh)
  }
  return result
}

function shareKey(routed: RoutedAddress, limits: BatchLimits): string {
  return [
    routed.transport.name,
    hostsKey(routed.hosts),
    hostsKey(routed.fallbackHosts),
    routed.errorsTo ?? '\x01',
    routed.headersAdd.map(textOf).join('\x02'),
    routed.headersRemove.map(textOf).join('\x02'),
    routed.uid ?? '',
    routed.gid ?? '',
    directoryKey(routed.homeDirectory),
    directoryKey(routed.currentDirectory),
    routed.special ?? '',
    limits.multiDomain ? '' : domainOf(routed),
    limits.identity?.(routed) ?? '',
  ].join('\0')
}

function directoryKey(directory: RoutedAddress['homeDirectory']): string {
  if (directory === undefined) return ''
  return directory instanceof Failure ? `\x01${directory.message}` : textOf(directory)
}

/** What must be alike for all that goes out in one SMTP transaction: `mua_wrapper`. */
export function transactionKey(routed: RoutedAddress): string {
  return [
    routed.transport.name,
    hostsKey(routed.hosts),
    routed.errorsTo ?? '\x01',
    routed.headersAdd.map(textOf).join('\x02'),
    routed.headersRemove.map(textOf).join('\x02'),
  ].join('\0')
}

/** Hosts of one MX value may stand in any order, so they are compared sorted. */
function hostsKey(hosts: readonly RouteHost[]): string {
  if (hosts.length === 0) return ''
  const texts = hosts.map((h) => `${h.mx ?? ''} ${h.name} ${h.address ?? ''} ${h.port ?? ''}`)
  return (hosts.some((h) => h.mx !== undefined) ? texts.sort() : texts).join('\x02')
}

export function domainOf(routed: RoutedAddress): ByteString {
  return routed.facts.domain.toLowerCase()
}
