/**
 * The one way into TLS as a server: a plain socket becomes a TLS one, by STARTTLS or from the first byte, with that
 * connection's own context. A door: it makes TLS sockets.
 */
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { type SecureContext, type Server, TLSSocket } from 'node:tls'
import { type ClientHello, peekClientHello } from './client-hello.ts'
import { factsOf, resumptionBits } from './facts.ts'
import { finishHandshake, type Upgraded } from './handshake.ts'

/** How one client is answered. */
export interface ServerChoice {
  readonly is: 'chosen'
  readonly context: SecureContext
  /** `ask`: a certificate is asked for and looked at; `demand`: without a good one there is no session. */
  readonly clientCertificate: 'no' | 'ask' | 'demand'
  /** `tls_alpn`: application protocols that are accepted; empty: any. */
  readonly alpn: readonly string[]
  /** `hosts_require_alpn`. */
  readonly requireAlpn: boolean
  /** The proof to staple; undefined: none. */
  readonly staple: Buffer | undefined
  /** Tickets are given. */
  readonly resumption: boolean
}

export interface ServerUpgrade {
  /** Decides, once it is known what the client wants; undefined: its first message could not be read. */
  choose(
    hello: ClientHello | undefined,
  ): Promise<ServerChoice | { readonly is: 'failed'; readonly why: string }>
  readonly onConnect: boolean
  readonly timeoutMs: number
}

/** Alerts of TLS that are sent before OpenSSL is at work. Source: RFC 8446 section 6.2; RFC 7301 section 3.2. */
const alerts = { internalError: 80, noApplicationProtocol: 120 } as const

/** Takes the part of the server. Nothing of the plain socket may have been read beyond the hand-over. */
export async function acceptTls(socket: Duplex, how: ServerUpgrade): Promise<Upgraded> {
  const endsAt = Date.now() + how.timeoutMs
  const hello = await peekClientHello(socket, how.timeoutMs)
  const choice = await how.choose(hello)
  if (choice.is === 'failed') {
    alert(socket, alerts.internalError)
    return choice
  }
  const protocol = agreeOnProtocol(hello?.protocols, choice)
  if (protocol.is === 'failed') {
    alert(socket, alerts.noApplicationProtocol)
    return protocol
  }
  if (socket.destroyed || socket.readableEnded) return { is: 'failed', why: 'the connection was closed' }
  const { staple } = choice
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext: choice.context,
    requestCert: choice.clientCertificate !== 'no',
    // The verdict is looked at below: a handshake that fails by it would leave no word in the log.
    rejectUnauthorized: false,
    ...(protocol.name === undefined ? {} : { ALPNProtocols: [protocol.name] }),
    ...(staple === undefined ? {} : { server: stapler(choice.context, staple) }),
  })
  return finishHandshake(secured, 'secure', Math.max(endsAt - Date.now(), 1000), () => {
    const verified = verifyError(secured) === undefined && hasCertificate(secured)
    if (choice.clientCertificate === 'demand' && !verified) {
      return { is: 'failed', why: certificateProblem(secured, 'no certificate was presented') }
    }
    const asked = hello?.asksForOcsp === true
    // A session that goes on carries no certificate, so no proof either.
    const stapled = staple !== undefined && !secured.isSessionReused()
    return {
      is: 'started',
      socket: secured,
      facts: factsOf(secured, {
        verified,
        sni: hello?.serverName ?? '',
        onConnect: how.onConnect,
        ocsp: asked ? (stapled ? 4 : 1) : 0,
        resumption: resumptionOf(hello, choice.resumption),
      }),
    }
  })
}

/**
 * Node asks an object for the proof when one is wanted: a `tls.Server`. Only its events and its context are used, and
 * one for each connection carries that connection's proof, whatever certificate a shared one would name.
 */
function stapler(context: SecureContext, staple: Buffer): Server {
  const emitter = new EventEmitter()
  emitter.on('OCSPRequest', (_leaf: Buffer, _issuer: Buffer, give: (error: null, proof: Buffer) => void) =>
    give(null, staple),
  )
  return Object.assign(emitter, { _sharedCreds: context, _contexts: [] }) as unknown as Server
}

/** Source: Exim manual, main options `tls_alpn`, `hosts_require_alpn`. */
function agreeOnProtocol(
  offered: readonly string[] | undefined,
  { alpn, requireAlpn }: ServerChoice,
): { readonly is: 'agreed'; readonly name: string | undefined } | (Upgraded & { is: 'failed' }) {
  if (offered === undefined) {
    return requireAlpn
      ? { is: 'failed', why: 'no application protocol (ALPN) was named, and one is required' }
      : { is: 'agreed', name: undefined }
  }
  const [first] = offered
  if (alpn.length === 0) return { is: 'agreed', name: first }
  if (offered.length === 1 && first !== undefined && alpn.includes(first))
    return { is: 'agreed', name: first }
  const shown = offered
    .slice(0, 5)
    .map((name) => name.slice(0, 20))
    .join(' ')
  return { is: 'failed', why: `the application protocol (ALPN) "${shown}" is not accepted` }
}

function alert(socket: Duplex, description: number): void {
  if (!socket.destroyed && socket.writable) socket.end(Buffer.from([21, 3, 3, 0, 2, 2, description]))
}

function resumptionOf(hello: ClientHello | undefined, enabled: boolean): number {
  return (
    resumptionBits.supported |
    (hello?.takesTickets === true ? resumptionBits.clientTakesTickets : 0) |
    (hello?.bringsSession === true ? resumptionBits.clientBringsSession : 0) |
    (enabled && hello?.takesTickets === true ? resumptionBits.serverGaveTicket : 0)
  )
}

/** The verdict on the client's certificate: a server side made by hand leaves it here, where Node's own server reads it too. */
function verifyError(secured: TLSSocket): string | undefined {
  const { ssl } = secured as unknown as { ssl?: { verifyError?: () => (Error & { code?: string }) | null } }
  const error = ssl?.verifyError?.()
  return error === null || error === undefined ? undefined : error.message
}

function certificateProblem(secured: TLSSocket, without: string): string {
  if (!hasCertificate(secured)) return without
  return verifyError(secured) ?? 'the certificate did not verify'
}

function hasCertificate(secured: TLSSocket): boolean {
  return Object.keys(secured.getPeerCertificate(false)).length > 0
}
