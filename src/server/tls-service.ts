/**
 * TLS of incoming connections: from the `tls_...` options, expanded for each connection, to a started session.
 * Source: Exim manual, "Encrypted SMTP connections using TLS/SSL".
 */
import type { Duplex } from 'node:stream'
import { isFailure } from '../base/outcome.ts'
import { textOf, type ByteString } from '../base/text.ts'
import type { Expandable } from '../base/expandable.ts'
import type { StartTlsService } from '../flow/receive/services.ts'
import { hostAndIdent } from '../mail/log-lines.ts'
import type { ConnectionFacts, Context, TlsFacts } from '../ports.ts'
import type { ContextSettings, TlsContexts } from '../wire/tls/contexts.ts'
import { acceptTls, type Upgraded } from '../wire/tls/upgrade.ts'
import type { StreamIo } from '../wire/stream-io.ts'
import type { SecureContext } from 'node:tls'

/** Exim gives a TLS handshake as long as a command. */
const handshakeMs = 60_000

const noFacts: TlsFacts = {
  cipher: '',
  cipherStd: '',
  version: '',
  bits: 0,
  certificateVerified: false,
  peerDn: '',
  sni: '',
  ocsp: 0,
  resumed: false,
  onConnect: false,
}

/** STARTTLS for one connection. */
export function startTlsService(
  contexts: TlsContexts,
  socket: Duplex | (() => Duplex),
  io: StreamIo,
): StartTlsService {
  return {
    async offered(context) {
      const { settings } = context
      if (settings.tls_certificate === undefined) return false
      if (!(await listed(settings.tls_advertise_hosts, context))) return false
      const list = await expanded(settings.tls_certificate, context)
      return !(list instanceof Error) && filesOf(list, context).length > 0
    },
    async start(_io, context) {
      io.release()
      const plain = typeof socket === 'function' ? socket() : socket
      const result = await upgrade(contexts, plain, context, false)
      if (result.is === 'failed') return result
      io.replace(result.socket, result.socket)
      return { is: 'started' }
    },
  }
}

/** TLS from the first byte (`tls_on_connect_ports`), or after the 220 of STARTTLS. A failure is logged here. */
export async function upgrade(
  contexts: TlsContexts,
  socket: Duplex,
  context: Context,
  onConnect: boolean,
): Promise<Upgraded> {
  const connection = context.connection
  const asked = await howToAsk(context)
  const first = await contextOf(contexts, context, asked !== 'no')
  const result: Upgraded =
    first.is === 'failed'
      ? first
      : await acceptTls(socket, {
          context: first.context,
          contextFor: mentionsServerName(context)
            ? forServerName(contexts, context, asked !== 'no')
            : undefined,
          clientCertificate: asked,
          alpn: [],
          onConnect,
          timeoutMs: handshakeMs,
        })
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

async function howToAsk(context: Context): Promise<'no' | 'ask' | 'demand'> {
  const { settings } = context
  if (await listed(settings.tls_verify_hosts, context)) return 'demand'
  return (await listed(settings.tls_try_verify_hosts, context)) ? 'ask' : 'no'
}

type Made =
  | { readonly is: 'ready'; readonly context: SecureContext }
  | { readonly is: 'failed'; readonly why: string }

async function contextOf(contexts: TlsContexts, context: Context, verify: boolean): Promise<Made> {
  const { settings } = context
  const texts: Record<string, string> = {}
  const wanted: Readonly<Record<string, Expandable | undefined>> = {
    certificates: settings.tls_certificate,
    keys: settings.tls_privatekey,
    ciphers: settings.tls_require_ciphers,
    verify: verify ? settings.tls_verify_certificates : undefined,
    crl: verify ? settings.tls_crl : undefined,
    dhparam: settings.tls_dhparam,
    curves: settings.tls_eccurve,
  }
  for (const [name, option] of Object.entries(wanted)) {
    const text = await expanded(option, context)
    if (text instanceof Error) return { is: 'failed', why: text.message }
    texts[name] = text
  }
  const certificates = filesOf(texts.certificates ?? '', context)
  if (certificates.length === 0) return { is: 'failed', why: 'tls_certificate is empty' }
  const contextSettings: ContextSettings = {
    certificates,
    keys: filesOf(texts.keys ?? '', context),
    ciphers: texts.ciphers ?? '',
    verify: texts.verify ?? '',
    crl: texts.crl ?? '',
    dhparam: texts.dhparam ?? '',
    curves: texts.curves ?? '',
    options: settings.openssl_options ?? '',
  }
  return contexts.get(contextSettings)
}

function forServerName(contexts: TlsContexts, context: Context, verify: boolean) {
  return async (serverName: string): Promise<SecureContext | undefined> => {
    const { connection } = context
    if (connection === undefined) return undefined
    const named = {
      ...connection,
      tls: { ...noFacts, sni: Buffer.from(serverName, 'utf8').toString('latin1') },
    }
    const made = await contextOf(contexts, { ...context, connection: named }, verify)
    return made.is === 'ready' ? made.context : undefined
  }
}

/** Only then must the options be expanded again once the client has said which name it wants. */
function mentionsServerName({ settings }: Context): boolean {
  return [settings.tls_certificate, settings.tls_privatekey].some((option) =>
    /tls_(in_)?sni/.test(option?.text ?? ''),
  )
}

function logFailure(context: Context, connection: ConnectionFacts, why: string): void {
  context.ports.log.main(
    undefined,
    `TLS error on connection from ${hostAndIdent(connection, context.ports.log, false)} (SSL_accept): ${why}`,
    { event: 'tls:fail', why },
  )
}

async function listed(list: Expandable | undefined, context: Context): Promise<boolean> {
  const address = context.connection?.hostAddress
  if (list === undefined) return false
  const result = await context.ports.matchList(
    'host',
    list,
    { address, name: context.connection?.hostName },
    context,
  )
  return result.is === 'match'
}

/** The text of an option; empty when it is unset or its expansion is forced to fail. */
async function expanded(option: Expandable | undefined, context: Context): Promise<ByteString | Error> {
  if (option === undefined) return ''
  const outcome = await context.ports.expand(option, context)
  if (!isFailure(outcome)) return textOf(outcome)
  return outcome.kind === 'forced' ? '' : new Error(`expansion of ${option.name} failed: ${outcome.message}`)
}

/** The items of a list of files. */
function filesOf(list: ByteString, context: Context): string[] {
  return context.ports
    .splitList(list)
    .map(textOf)
    .filter((item) => item !== '')
}
