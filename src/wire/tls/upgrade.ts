/**
 * The one way into TLS: a plain socket becomes a TLS one, as server or as client, by STARTTLS or from the first byte,
 * with that connection's own context. A door: it makes TLS sockets.
 */
import { isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { checkServerIdentity, connect, type SecureContext, TLSSocket } from 'node:tls'
import type { TlsFacts } from '../../ports.ts'
import { factsOf } from './facts.ts'

export type Upgraded =
  | { readonly is: 'started'; readonly socket: TLSSocket; readonly facts: TlsFacts }
  | { readonly is: 'failed'; readonly why: string }

export interface ServerUpgrade {
  readonly context: SecureContext
  /** Another context for the name the client asks for; undefined: the same. */
  readonly contextFor?: ((serverName: string) => Promise<SecureContext | undefined>) | undefined
  /** `ask`: a certificate is asked for and looked at; `demand`: without a good one there is no session. */
  readonly clientCertificate: 'no' | 'ask' | 'demand'
  readonly alpn: readonly string[]
  readonly onConnect: boolean
  readonly timeoutMs: number
}

/** Takes the part of the server. Nothing of the plain socket may have been read beyond the hand-over. */
export function acceptTls(socket: Duplex, how: ServerUpgrade): Promise<Upgraded> {
  let sni = ''
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext: how.context,
    requestCert: how.clientCertificate !== 'no',
    // The verdict is looked at below: a handshake that fails by it would leave no word in the log.
    rejectUnauthorized: false,
    ...(how.alpn.length === 0 ? {} : { ALPNProtocols: [...how.alpn] }),
    SNICallback(serverName, callback) {
      sni = serverName
      const chosen = how.contextFor?.(serverName) ?? Promise.resolve(undefined)
      chosen.then(
        (context) => callback(null, context ?? how.context),
        () => callback(null, how.context),
      )
    },
  })
  return finish(secured, 'secure', how.timeoutMs, () => {
    const verified = verifyError(secured) === undefined && hasCertificate(secured)
    if (how.clientCertificate === 'demand' && !verified) {
      return { is: 'failed', why: certificateProblem(secured, 'no certificate was presented') }
    }
    return {
      is: 'started',
      socket: secured,
      facts: factsOf(secured, { verified, sni, onConnect: how.onConnect }),
    }
  })
}

export interface ClientUpgrade {
  readonly context: SecureContext
  /** Name for SNI; empty: none. */
  readonly sni: string
  /** The certificate must be good, or is only looked at, or neither. */
  readonly verify: 'demand' | 'try' | 'no'
  /** Names of which one must be in the certificate (`tls_verify_cert_hostnames`); empty: not compared. */
  readonly names: readonly string[]
  readonly alpn: readonly string[]
  readonly minDhBits: number
  readonly onConnect: boolean
  readonly timeoutMs: number
}

/** Takes the part of the client. */
export async function connectTls(socket: Duplex, how: ClientUpgrade): Promise<Upgraded> {
  if (!(socket instanceof Socket)) return { is: 'failed', why: 'this connection cannot carry TLS' }
  const secured = connect({
    socket,
    secureContext: how.context,
    // RFC 6066 section 3: an address is no server name.
    servername: isIP(how.sni) === 0 ? how.sni : '',
    rejectUnauthorized: false,
    // Names are compared below, with those the transport wants.
    checkServerIdentity: () => undefined,
    ...(how.alpn.length === 0 ? {} : { ALPNProtocols: [...how.alpn] }),
  })
  return finish(secured, 'secureConnect', how.timeoutMs, () => {
    const problem = how.verify === 'no' ? undefined : serverProblem(secured, how)
    if (problem !== undefined && how.verify === 'demand') return { is: 'failed', why: problem }
    const verified = how.verify !== 'no' && problem === undefined
    return {
      is: 'started',
      socket: secured,
      facts: factsOf(secured, { verified, sni: how.sni, onConnect: how.onConnect }),
    }
  })
}

function serverProblem(secured: TLSSocket, how: ClientUpgrade): string | undefined {
  if (!secured.authorized && hasCertificate(secured)) {
    return `certificate verification failed: ${String(secured.authorizationError)}`
  }
  if (!hasCertificate(secured)) return 'certificate verification failed: no certificate was presented'
  if (how.names.length === 0) return undefined
  const certificate = secured.getPeerCertificate(false)
  const matches = how.names.some((name) => checkServerIdentity(name, certificate) === undefined)
  return matches ? undefined : 'certificate verification failed: the certificate is for another name'
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

/** Waits for the handshake, within its limit. */
function finish(
  secured: TLSSocket,
  event: string,
  timeoutMs: number,
  judge: () => Upgraded,
): Promise<Upgraded> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => give({ is: 'failed', why: 'timed out' }), Math.min(timeoutMs, 2 ** 31 - 1))
    const onError = (error: Error): void => give({ is: 'failed', why: shortReason(error) })
    const onClose = (): void => give({ is: 'failed', why: 'the connection was closed' })
    const onSecure = (): void => give(judge())
    function give(result: Upgraded): void {
      clearTimeout(timer)
      secured.off(event, onSecure)
      secured.off('close', onClose)
      secured.off('end', onClose)
      secured.off('error', onError)
      // A late error of a socket nobody listens to must not end the process.
      secured.on('error', () => {})
      if (result.is === 'failed') secured.destroy()
      resolve(result)
    }
    secured.on(event, onSecure)
    secured.on('error', onError)
    secured.on('close', onClose)
    // A half-open socket says `end`, not `close`, when the other side goes away in the middle.
    secured.on('end', onClose)
  })
}

/** OpenSSL's reason without its file names and numbers. */
function shortReason(error: Error): string {
  const parts = error.message.trim().split(':')
  const inner = /^[0-9A-F]+$/i.test(parts[0] ?? '') ? (parts[5] ?? parts.at(-1)) : error.message
  return (inner ?? error.message).trim()
}
