/** Names and addresses of hosts, when an item of a host list needs one. */
import { formatIp, parseIp, unmapped } from '../../base/ip.ts'
import { after, type Awaitable } from '../../base/outcome.ts'
import { hostAndIdent } from '../../mail/log-lines.ts'
import type { ConnectionFacts, HostAddresses } from '../../ports.ts'
import type { HostListSubject, ItemResult, Run } from './list.ts'

export type HostNames = { readonly names: readonly string[] } | { readonly result: ItemResult }

/**
 * The names of the subject, looked up once a connection.
 * @param item the item that needs them, for debugging
 */
export function namesOf(subject: HostListSubject, item: string, run: Run): Awaitable<HostNames> {
  if (subject.name !== undefined) return { names: [subject.name] }
  const { connection, ports, debug } = run.context
  if (connection === undefined || connection.hostAddress !== subject.address) {
    return unknownName(subject)
  }
  if (connection.hostLookup !== 'not done') return knownNames(connection, subject)
  debug?.('lists', `sender host name required, to match against ${item}`)
  return ports.lookUpHostName(connection, run.context).then(() => knownNames(connection, subject))
}

function knownNames(connection: ConnectionFacts, subject: HostListSubject): HostNames {
  if (connection.hostName !== undefined) return { names: [connection.hostName, ...connection.hostAliases] }
  if (connection.hostLookup === 'deferred') {
    return { result: { is: 'defer', message: `host lookup deferred for ${subject.address ?? ''}` } }
  }
  return unknownName(subject)
}

function unknownName(subject: HostListSubject): HostNames {
  return { result: { is: 'unknown', why: `failed to find host name for ${subject.address ?? ''}` } }
}

/** Matches when the name leads to the subject's address. Source: Exim manual, "Host list patterns that match by IP address". */
export function matchByName(
  name: string,
  subject: HostListSubject,
  run: Run,
  data: string | undefined,
): Awaitable<ItemResult> {
  return after(run.context.ports.hostAddresses(name), (found: HostAddresses): ItemResult => {
    switch (found.is) {
      case 'again':
        return { is: 'defer', message: `host lookup deferred for ${name}` }
      case 'none':
        return noAddress(name, run)
      case 'found':
        return found.addresses.some((address) => normal(address) === subject.address)
          ? { is: 'match', data }
          : undefined
    }
  })
}

function noAddress(name: string, run: Run): ItemResult {
  const { connection, ports, debug } = run.context
  const from =
    connection?.hostAddress === undefined
      ? ''
      : ` (during SMTP connection from ${hostAndIdent(connection, ports.log, false)})`
  const text = `no IP address found for host ${name}${from}`
  debug?.('lists', text)
  if (ports.log.selects('host_lookup_failed')) ports.log.main(undefined, text)
  return { is: 'unknown', why: `failed to find IP address for ${name}` }
}

/** The form in which connections hold addresses: short, IPv4-mapped ones as IPv4. */
export function normal(address: string): string {
  const ip = parseIp(address)
  return ip === undefined ? address : formatIp(unmapped(ip))
}
