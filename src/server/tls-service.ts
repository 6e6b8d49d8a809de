/**
 * TLS of incoming connections: from the `tls_...` options, expanded for each connection, to a started session.
 * Source: Exim manual, "Encrypted SMTP connections using TLS/SSL".
 */
import type { Duplex } from 'node:stream'
import { taint } from '../base/text.ts'
import type { Expandable } from '../base/expandable.ts'
import type { StartTlsService } from '../flow/receive/services.ts'
import { hostAndIdent } from '../mail/log-lines.ts'
import type { ConnectionFacts, Context } from '../ports.ts'
import { acceptTls, type ServerChoice } from '../wire/tls/accept.ts'
import type { ClientHello } from '../wire/tls/client-hello.ts'
import type { TlsContexts } from '../wire/tls/contexts.ts'
import { chainOf, noTlsFacts } from '../wire/tls/facts.ts'
import type { Upgraded } from '../wire/tls/handshake.ts'
import { StreamIo } from '../wire/stream-io.ts'
import { certificateFiles, readTlsOptions } from './tls-options.ts'
import type { TlsRoom } from './tls-room.ts'
import { chooseStaple, proofFiles } from './tls-staple.ts'

/** Exim gives a TLS handshake as long as a command. */
const handshakeMs = 60_000

/** STARTTLS, for all connections: `plain` says what a dialogue runs over until then. */
export function startTlsService(room: TlsRoom, plain: (io: StreamIo) => Duplex | undefined): StartTlsService {
  return {
    async offered(context) {
      if (!(await advertisesTls(context))) return false
      return !('problem' in (await certificateFiles(context)))
    },
    async problem(context) {
      const made = await contextOf(room, context, undefined)
      if (made.is === 'ready') return undefined
      if (context.connection !== undefined) logFailure(context, context.connection, made.why)
      return made.why
    },
    async start(io, context) {
      if (!(io instanceof StreamIo)) throw new TypeError('STARTTLS needs a dialogue over a stream')
      io.release()
      const socket = plain(io)
      if (socket === undefined) throw new TypeError('STARTTLS needs a stream for both directions')
      const result = await upgrade(room, socket, context, false)
      if (result.is === 'failed') return result
      io.replace(result.socket, result.socket)
      return { is: 'started' }
    },
  }
}

/** TLS from the first byte (`tls_on_connect_ports`), or after the 220 of STARTTLS. A failure is logged here. */
export async function upgrade(
  room: TlsRoom,
  socket: Duplex,
  context: Context,
  onConnect: boolean,
): Promise<Upgraded> {
  const connection = context.connection
  const accepted = await acceptTls(socket, {
    choose: (hello) => choose(room, context, hello),
    onConnect,
    timeoutMs: handshakeMs,
  })
  const result = accepted.is === 'started' ? await judgedByEvents(accepted, context) : accepted
  context.debug?.(
    'tls',
    result.is === 'started'
      ? `TLS session: version ${result.facts.version}, cipher ${result.facts.cipher}, SNI "${result.facts.sni}", peer verified: ${result.facts.certificateVerified ? 'yes' : 'no'}`
      : `TLS session: ${result.why}`,
  )
  if (connection !== undefined && result.is === 'started') connection.tls = result.facts
  if (connection !== undefined && result.is === 'failed') logFailure(context, connection, result.why)
  if (result.is === 'failed') socket.destroy()
  return result
}

/** The event `tls:cert`, from the top of the client's chain down: a result that is not empty refuses the certificate. */
async function judgedByEvents(
  started: Extract<Upgraded, { is: 'started' }>,
  context: Context,
): Promise<Upgraded> {
  const { connection } = context
  if (context.settings.event_action === undefined || connection === undefined) return started
  const chain = chainOf(started.socket)
  for (const [depth, peerCertificate] of [...chain.entries()].reverse()) {
    const seen = { ...connection, tls: { ...started.facts, peerCertificate } }
    const refusal = await context.ports.raise('tls:cert', String(depth), { ...context, connection: seen })
    if (refusal === '') continue
    if ((await howToAsk(context)) !== 'demand')
      return { ...started, facts: { ...started.facts, certificateVerified: false } }
    started.socket.destroy()
    return { is: 'failed', why: `the certificate at depth ${depth} is refused by event_action: ${refusal}` }
  }
  return started
}

/** Everything that depends on the client: Exim decides all of it for each connection. */
async function choose(
  room: TlsRoom,
  context: Context,
  hello: ClientHello | undefined,
): Promise<ServerChoice | { readonly is: 'failed'; readonly why: string }> {
  const { settings } = context
  const made = await contextFor(room, context, hello)
  if (made.is === 'failed') return made
  const alpn = await readTlsOptions(context, { alpn: settings.tls_alpn })
  if ('problem' in alpn) return { is: 'failed', why: alpn.problem }
  const staple = hello?.asksForOcsp === true ? await chooseStaple(room, context, made, hello) : undefined
  if (hello?.asksForOcsp === true && context.ports.log.selects('ocsp')) {
    // Requirement O11: the line of 2014, spelt right.
    const answer = staple === undefined ? 'not responding' : 'responding'
    context.ports.log.main(
      undefined,
      `[${context.connection?.hostAddress ?? ''}] Received OCSP stapling req; ${answer}`,
      { event: 'tls:ocsp', answer },
    )
  }
  return {
    is: 'chosen',
    context: staple?.context ?? made.context,
    clientCertificate: made.clientCertificate,
    alpn: alpn.lists.alpn,
    requireAlpn: await listed(settings.hosts_require_alpn, context, true),
    staple: staple?.proof,
    resumption: made.settings.ticketKey !== '',
  }
}

/** With the name that the client wants, where `tls_certificate` goes by it; else, or where that fails, without. */
async function contextFor(room: TlsRoom, context: Context, hello: ClientHello | undefined): Promise<Made> {
  const { connection, settings } = context
  const byName = /tls_(in_)?sni/.test(settings.tls_certificate?.text ?? '')
  if (byName && connection !== undefined && hello !== undefined && hello.serverName !== '') {
    const named = { ...connection, tls: { ...noTlsFacts, sni: hello.serverName } }
    const made = await contextOf(room, { ...context, connection: named }, hello.serverName)
    if (made.is === 'ready') return made
    context.ports.log.main(
      undefined,
      `no TLS certificate for the name "${hello.serverName.slice(0, 255)}" that ${hostAndIdent(connection, context.ports.log, false)} asks for, so the usual one is shown: ${made.why}`,
    )
  }
  return contextOf(room, context, undefined)
}

/** A context that is ready, and what it was made of. */
export interface ReadyContext {
  readonly is: 'ready'
  readonly context: ServerChoice['context']
  readonly own: Extract<ReturnType<TlsContexts['get']>, { is: 'ready' }>['own']
  readonly settings: Parameters<TlsContexts['get']>[0]
  readonly clientCertificate: ServerChoice['clientCertificate']
  /** Where options about this certificate are expanded: with `$tls_in_sni` when the choice went by it. */
  readonly expandedIn: Context
}
type Made = ReadyContext | { readonly is: 'failed'; readonly why: string }

async function contextOf(room: TlsRoom, context: Context, serverName: string | undefined): Promise<Made> {
  const { settings } = context
  const clientCertificate = await howToAsk(context)
  const verify = clientCertificate !== 'no'
  const files = await certificateFiles(context)
  if ('problem' in files) return { is: 'failed', why: files.problem }
  const selfMade =
    files.certificates.length === 0
      ? await room.selfMade.for(context.server.primaryHostname.toLowerCase())
      : undefined
  const read = await readTlsOptions(context, {
    ciphers: settings.tls_require_ciphers,
    verify: verify ? settings.tls_verify_certificates : undefined,
    crl: verify ? settings.tls_crl : undefined,
    dhparam: settings.tls_dhparam,
    curves: settings.tls_eccurve,
  })
  if ('problem' in read) return { is: 'failed', why: read.problem }
  const { texts } = read
  const contextSettings = {
    ...files,
    ...(selfMade === undefined ? {} : { keys: [], selfMade }),
    ciphers: texts.ciphers,
    verify: texts.verify,
    crl: texts.crl,
    dhparam: texts.dhparam,
    dhMaxBits: settings.tls_dh_max_bits,
    curves: texts.curves,
    options: settings.openssl_options ?? '',
    ticketKey: (await listed(settings.tls_resumption_hosts, context)) ? room.ticketKey() : '',
  }
  const made = room.contexts.get(contextSettings)
  if (made.is === 'failed') return made
  if (made.stale !== undefined) {
    const whose = serverName === undefined ? '' : ` for ${serverName.slice(0, 255)}`
    context.ports.log.panic(
      undefined,
      `changed TLS files${whose} cannot be used, so what was there before stays in use: ${made.stale}`,
    )
  }
  return { ...made, settings: contextSettings, clientCertificate, expandedIn: context }
}

/** At start: certificates that do not depend on the client become known to the keeper of proofs. */
export async function prepareProofs(room: TlsRoom, context: Context): Promise<void> {
  if (!context.settings.tls_ocsp_fetch || context.settings.tls_certificate === undefined) return
  const made = await contextOf(room, context, undefined)
  if (made.is === 'ready') await proofFiles(room, context, made)
}

async function howToAsk(context: Context): Promise<ServerChoice['clientCertificate']> {
  const { settings } = context
  if (await listed(settings.tls_verify_hosts, context, true)) return 'demand'
  return (await listed(settings.tls_try_verify_hosts, context)) ? 'ask' : 'no'
}

function logFailure(context: Context, connection: ConnectionFacts, why: string): void {
  void context.ports.raise('tls:fail:connect', taint(why, '$event_data'), context)
  context.ports.log.main(
    undefined,
    `TLS error on connection from ${hostAndIdent(connection, context.ports.log, false)} (SSL_accept): ${why}`,
    { event: 'tls:fail', why },
  )
}

/** `strict`: a list that cannot be read for now counts as a match, since what it asks for makes things safer. */
/** Whether the client's address is one to which TLS is offered, where there is a certificate. */
export function advertisesTls(context: Context): Promise<boolean> {
  return listed(context.settings.tls_advertise_hosts, context)
}

async function listed(list: Expandable | undefined, context: Context, strict = false): Promise<boolean> {
  const address = context.connection?.hostAddress
  if (list === undefined) return false
  const result = await context.ports.matchList(
    'host',
    list,
    { address, name: context.connection?.hostName },
    context,
  )
  return result.is === 'match' || (strict && result.is !== 'no')
}
