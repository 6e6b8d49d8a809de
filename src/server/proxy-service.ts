/**
 * Connections from proxies: whether a header is due, and what becomes of the connection by it.
 * Source: Exim manual, "Proxies"; requirements are those of HAProxy, "The PROXY protocol".
 */
import type { Readable } from 'node:stream'
import type { ConnectionFacts, Context, ProxyFacts } from '../ports.ts'
import type { ProxyHeader } from '../wire/proxy/header.ts'
import { readProxyHeader } from '../wire/proxy/read-header.ts'

/** `unknown`: the list cannot be checked now. */
export type ProxyDue =
  | { readonly is: 'no' | 'yes' }
  | { readonly is: 'unknown'; readonly reply: string; readonly why: string }

/** Must this peer begin with a header? */
export async function proxyDue(context: Context): Promise<ProxyDue> {
  const list = context.settings.hosts_proxy
  const address = context.connection?.hostAddress
  if (list === undefined || address === undefined) return { is: 'no' }
  const found = await context.ports.matchList('host', list, { address }, context)
  if (found.is === 'match') return { is: 'yes' }
  if (found.is === 'no') return { is: 'no' }
  // Taken for a client, a proxy would lend its own address, which may be allowed to relay.
  context.ports.log.panic(undefined, `hosts_proxy: ${found.message}`)
  return {
    is: 'unknown',
    reply: '421 Temporary local problem; please try again later.',
    why: 'hosts_proxy cannot be checked',
  }
}

export type ProxyGreeted =
  /** `rest`: the client's own bytes that came with the header. The input is paused. */
  { readonly is: 'ready'; readonly rest: Buffer } | { readonly is: 'closed' }

/** Reads the header and sets the client's address and port, or notes that there was none. */
export async function greetProxy(
  input: Readable,
  connection: ConnectionFacts,
  context: Context,
): Promise<ProxyGreeted> {
  const timeoutMs = context.settings.proxy_protocol_timeout * 1000
  const result = await readProxyHeader(input, timeoutMs)
  // A proxy that only looks whether we listen.
  if (result.is === 'closed') return result
  if (result.is === 'header') take(connection, result.header)
  else {
    connection.proxy = failedProxy
    logFailure(connection, context, result.why)
  }
  return { is: 'ready', rest: result.rest }
}

const failedProxy: ProxyFacts = {
  session: true,
  failed: true,
  healthCheck: false,
  localAddress: '',
  localPort: 0,
  externalAddress: '',
  externalPort: 0,
  tlvs: new Map(),
}

function take(connection: ConnectionFacts, header: ProxyHeader): void {
  const proxied = header.is === 'proxied' ? header : undefined
  connection.proxy = {
    session: true,
    failed: false,
    healthCheck: header.is === 'healthCheck',
    localAddress: connection.hostAddress ?? '',
    localPort: connection.hostPort,
    // Without addresses in the header the connection's own are the only ones there are.
    externalAddress: proxied?.target.address ?? connection.interfaceAddress ?? '',
    externalPort: proxied?.target.port ?? connection.interfacePort,
    tlvs: header.tlvs,
  }
  if (proxied === undefined) return
  connection.hostAddress = proxied.client.address
  connection.hostPort = proxied.client.port
  // A name found so far is the proxy's.
  connection.hostName = undefined
  connection.hostAliases = []
  connection.hostLookup = 'not done'
  connection.hostDnssec = false
}

/** Nothing is logged by itself: Exim manual, "Inbound proxies". Under the selector `proxy` a line tells why. */
function logFailure(connection: ConnectionFacts, context: Context, why: string): void {
  const { log } = context.ports
  if (!log.selects('proxy')) return
  log.reject(undefined, `PROXY negotiation with [${connection.hostAddress ?? ''}] failed: ${why}`, {
    facts: { event: 'proxy:fail', why, host: connection.hostAddress },
  })
}
