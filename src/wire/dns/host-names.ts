/**
 * The name of a connected host, found from its address and confirmed by looking the name up again.
 * Source: Exim manual, "host_lookup", "host_lookup_order", `$sender_host_name`.
 */
import type { ConnectionFacts, Context, Ports } from '../../ports.ts'
import { reverseName, sameAddress } from './names.ts'
import type { Resolver } from './resolver.ts'

export interface HostNamesOptions {
  readonly resolver: Resolver
  /** `host_lookup_order`: `bydns` and `byaddr` in the order to try. */
  readonly order: readonly string[]
}

/** Names that one address may have; more are not looked at. */
const namesLimit = 20

interface FoundNames {
  readonly is: 'found'
  readonly names: readonly string[]
  readonly dnssec: boolean
}
type Names = FoundNames | { readonly is: 'none' } | { readonly is: 'again' }

export function createHostNames(options: HostNamesOptions): Ports['lookUpHostName'] {
  const pending = new WeakMap<ConnectionFacts, Promise<void>>()
  return (connection, context) => {
    if (connection.hostLookup !== 'not done' || connection.hostAddress === undefined) return Promise.resolve()
    const known = pending.get(connection)
    if (known !== undefined) return known
    const looking = lookUp(connection, connection.hostAddress, options, context)
    pending.set(connection, looking)
    return looking
  }
}

async function lookUp(
  connection: ConnectionFacts,
  address: string,
  options: HostNamesOptions,
  context: Context,
): Promise<void> {
  const names = await namesOf(address, options)
  if (names.is === 'again') {
    connection.hostLookup = 'deferred'
    return
  }
  if (names.is === 'none') {
    connection.hostLookup = 'failed'
    log(context, `no host name found for IP address ${address}`)
    return
  }
  await confirm(connection, address, names, options.resolver, context)
}

async function namesOf(address: string, { order, resolver }: HostNamesOptions): Promise<Names> {
  let again = false
  for (const way of order) {
    if (way === 'byaddr') {
      const names = resolver.hostsFileNames(address)
      if (names.length > 0) return { is: 'found', names, dnssec: false }
    }
    const reversed = way === 'bydns' ? reverseName(address) : undefined
    if (reversed === undefined) continue
    const answer = await resolver.dns(reversed, 'PTR', { dnssec: true })
    if (answer.status === 'again') again = true
    const names = answer.records.flatMap((record) => (record.type === 'PTR' ? [record.value] : []))
    if (names.length > 0) return { is: 'found', names, dnssec: answer.authenticated }
  }
  return { is: again ? 'again' : 'none' }
}

/** Only names that lead back to the address count: anyone may put any name into the reverse tree. */
async function confirm(
  connection: ConnectionFacts,
  address: string,
  names: FoundNames,
  resolver: Resolver,
  context: Context,
): Promise<void> {
  const confirmed: string[] = []
  let again = false
  let dnssec = names.dnssec
  for (const raw of names.names.slice(0, namesLimit)) {
    const name = raw.toLowerCase()
    const forward = await resolver.hostAddresses(name, { dnssec: true })
    if (forward.is === 'again') {
      again = true
      continue
    }
    if (forward.is === 'none') {
      log(context, `no IP address found for host ${name}${duringSession(connection)}`)
      continue
    }
    if (forward.addresses.some((found) => sameAddress(found, address))) {
      confirmed.push(name)
      dnssec &&= forward.dnssec
    } else {
      context.debug?.('dns', `${address} does not match any IP address for ${name}`)
    }
  }
  const [first, ...aliases] = confirmed
  if (first === undefined) {
    connection.hostLookup = again ? 'deferred' : 'failed'
    return
  }
  connection.hostName = first
  connection.hostAliases = aliases
  connection.hostDnssec = dnssec
  connection.hostLookup = 'found'
}

/** For the end of a log line about a lookup. */
export function duringSession(connection: ConnectionFacts | undefined): string {
  if (connection?.kind === 'bs') return ` (during SMTP connection from ${connection.ident ?? ''})`
  if (connection?.kind !== 'smtp') return ''
  const helo = connection.helo === undefined ? '' : `(${connection.helo}) `
  return ` (during SMTP connection from ${helo}[${connection.hostAddress}])`
}

function log(context: Context, text: string): void {
  const messageId = context.message?.id === '' ? undefined : context.message?.id
  if (context.ports.log.selects('host_lookup_failed')) context.ports.log.main(messageId, text)
}
