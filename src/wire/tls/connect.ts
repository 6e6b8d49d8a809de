/**
 * The one way into TLS as a client: handshake, then what the transport wants to be sure of: the certificate or DANE,
 * the name, the proof of OCSP. A door: it makes TLS sockets.
 */
import { isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  checkServerIdentity,
  connect,
  type ConnectionOptions,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { type DaneVerdict, type TlsaRecord, verifyDane } from './dane.ts'
import { chainOf, factsOf, resumptionBits } from './facts.ts'
import { finishHandshake, type TlsResultType, type Upgraded } from './handshake.ts'
import type { KeptSession, TlsSessions } from './sessions.ts'

export interface ClientUpgrade {
  readonly context: SecureContext
  /** Name for SNI; empty: none. */
  readonly sni: string
  /** The certificate must be good, or is only looked at, or neither. */
  readonly verify: 'demand' | 'try' | 'no'
  /** Names of which one must be in the certificate (`tls_verify_cert_hostnames`); empty: not compared. */
  readonly names: readonly string[]
  /** `tls_alpn`, and whether the server must agree. */
  readonly alpn: readonly string[]
  readonly requireAlpn: boolean
  readonly minDhBits: number
  /** Whether a proof that the certificate is good is asked for, and demanded. */
  readonly ocsp: 'no' | 'request' | 'require'
  /** TLSA records that decide, in place of authorities. */
  readonly dane: { readonly records: readonly TlsaRecord[]; readonly names: readonly string[] } | undefined
  /** Where sessions are kept and under which name; undefined: each connection begins anew. */
  readonly resume: { readonly sessions: TlsSessions; readonly key: string } | undefined
  readonly now: () => number
  /** For the event `tls:cert`. */
  readonly wantsChain?: boolean
  readonly onConnect: boolean
  readonly timeoutMs: number
}

/** Takes the part of the client. */
export async function connectTls(socket: Duplex, how: ClientUpgrade): Promise<Upgraded> {
  if (!(socket instanceof Socket)) return { is: 'failed', why: 'this connection cannot carry TLS' }
  const kept = how.resume === undefined ? undefined : how.resume.sessions.take(how.resume.key)
  const before = kept !== undefined && mayGoOn(kept, how) ? kept : undefined
  const options: ConnectionOptions & { requestOCSP: boolean } = {
    socket,
    secureContext: how.context,
    // RFC 6066 section 3: an address is no server name.
    servername: isIP(how.sni) === 0 ? how.sni : '',
    rejectUnauthorized: false,
    // Node takes no zero.
    minDHSize: Math.max(1, how.minDhBits),
    requestOCSP: how.ocsp !== 'no',
    // Names are compared below, with those the transport wants.
    checkServerIdentity: () => undefined,
    ...(how.alpn.length === 0 ? {} : { ALPNProtocols: [...how.alpn] }),
    ...(before === undefined ? {} : { session: before.session }),
  }
  const secured = connect(options)
  let staple: Buffer | undefined
  // Comes before the handshake is over; null or empty: the server gave none.
  secured.on('OCSPResponse', (response: Buffer | null) => {
    staple = response === null || response.length === 0 ? undefined : response
  })
  const accepted = keepSessions(secured, how)
  const finish = async (): Promise<Upgraded> => {
    const judged = await judge(secured, how, staple, before)
    if ('problem' in judged) return { is: 'failed', why: judged.problem, result: judged.result }
    accepted(judged)
    // With TLS 1.2 a ticket may be used again, and a server seldom gives another for it.
    if (before !== undefined && secured.isSessionReused() && secured.getProtocol() === 'TLSv1.2')
      how.resume?.sessions.keep(how.resume.key, before)
    return {
      is: 'started',
      socket: secured,
      unverified: judged.unverified,
      chain: how.wantsChain === true ? chainOf(secured) : undefined,
      facts: factsOf(secured, {
        verified: judged.verified,
        sni: how.sni,
        onConnect: how.onConnect,
        ocsp: judged.ocsp,
        resumption: resumptionOf(how, before),
        ...(how.dane === undefined ? {} : { dane: judged.dane, tlsaUsage: usageBits(how.dane.records) }),
      }),
    }
  }
  return finishHandshake(secured, 'secureConnect', how.timeoutMs, finish, '(SSL_connect): ')
}

/** Where a proof is demanded, a session goes on only while the proof of its beginning is good. */
function mayGoOn(kept: KeptSession, { ocsp, now }: ClientUpgrade): boolean {
  return ocsp !== 'require' || (kept.ocsp === 4 && kept.ocspUntil > now())
}

interface Judged {
  readonly unverified?: { readonly why: string; readonly result: TlsResultType } | undefined
  readonly verified: boolean
  readonly dane: boolean
  readonly ocsp: number
  readonly ocspUntil: number
}
type Refused = { readonly problem: string; readonly result?: TlsResultType }

async function judge(
  secured: TLSSocket,
  how: ClientUpgrade,
  staple: Buffer | undefined,
  before: KeptSession | undefined,
): Promise<Judged | Refused> {
  if (how.requireAlpn && (secured.alpnProtocol || false) === false) {
    return { problem: '(alpn): the server did not agree on an application protocol' }
  }
  if (secured.isSessionReused() && before !== undefined) {
    const good = before.ocspUntil > how.now()
    return { ...before, dane: false, ocsp: how.ocsp === 'no' ? 0 : good ? before.ocsp : 1 }
  }
  const dane = how.dane === undefined ? undefined : daneVerdict(secured, how.dane, how.now())
  if (dane?.is === 'failed') return problem(dane.why, dane.result)
  const unverified = dane === undefined && how.verify !== 'no' ? serverProblem(secured, how) : undefined
  if (unverified !== undefined && how.verify === 'demand') return unverified
  const trusted = dane !== undefined || secured.authorized
  const proof = await judgeStaple(secured, how, staple, trusted, dane)
  // What is proven revoked is not good, whoever asked for the proof.
  const revoked = proof.problem === 'revoked'
  if (how.ocsp === 'require' && proof.ocsp !== 4) {
    return {
      problem: `(certificate status check failed): a good OCSP proof of the certificate is required, but ${proof.why}`,
      result: 'validation-failure',
    }
  }
  if (revoked && (how.verify === 'demand' || dane !== undefined)) {
    return problem(proof.why, 'certificate-not-trusted')
  }
  return {
    verified: (dane !== undefined || (how.verify !== 'no' && unverified === undefined)) && !revoked,
    dane: dane !== undefined,
    unverified: unverified && { why: unverified.problem, result: unverified.result },
    ocsp: proof.ocsp,
    ocspUntil: proof.until,
  }
}

function daneVerdict(
  secured: TLSSocket,
  { records, names }: NonNullable<ClientUpgrade['dane']>,
  now: number,
): DaneVerdict {
  return verifyDane({ records, names, chain: chainOf(secured), now })
}

interface Proof {
  readonly ocsp: number
  readonly why: string
  readonly problem?: string
  readonly until: number
}

/** `$tls_out_ocsp`: requirement O12. */
async function judgeStaple(
  secured: TLSSocket,
  how: ClientUpgrade,
  response: Buffer | undefined,
  trusted: boolean,
  dane: DaneVerdict | undefined,
): Promise<Proof> {
  if (how.ocsp === 'no') return { ocsp: 0, why: 'none was asked for', until: 0 }
  if (response === undefined) return { ocsp: 1, why: 'the server gave none (no response)', until: 0 }
  const [leaf, next] = chainOf(secured)
  const issuer = dane?.is === 'proved' ? (dane.issuer ?? next) : (next ?? leaf)
  if (leaf === undefined || issuer === undefined) {
    return { ocsp: 2, why: 'the issuer of the certificate is not known (not verified)', until: 0 }
  }
  const { verifyOcsp } = await import('./ocsp/verify.ts')
  const verdict = await verifyOcsp({ response, leaf, issuer, now: how.now() })
  if (verdict.is === 'bad') {
    // A revocation counts only when one who may say so has said it: verifyOcsp looks at the signature first.
    return { ocsp: 3, why: verdict.why, problem: verdict.problem, until: 0 }
  }
  // The proof is as good as the chain above it.
  if (!trusted) {
    return {
      ocsp: 2,
      why: 'the certificate above it is not trusted, so it proves nothing (not verified)',
      until: 0,
    }
  }
  return { ocsp: 4, why: '', until: verdict.usableUntil.getTime() }
}

function serverProblem(
  secured: TLSSocket,
  how: ClientUpgrade,
): (Refused & { result: TlsResultType }) | undefined {
  if (!hasCertificate(secured)) return problem('no certificate was presented', 'certificate-not-trusted')
  if (!secured.authorized) {
    const error = String(secured.authorizationError)
    return problem(error, /EXPIRED/.test(error) ? 'certificate-expired' : 'certificate-not-trusted')
  }
  if (how.names.length === 0) return undefined
  const certificate = secured.getPeerCertificate(false)
  const matches = how.names.some((name) => checkServerIdentity(name, certificate) === undefined)
  return matches ? undefined : problem('the certificate is for another name', 'certificate-host-mismatch')
}

function problem(why: string, result: TlsResultType): Refused & { result: TlsResultType } {
  return { problem: `(certificate verification failed): ${why}`, result }
}

function hasCertificate(secured: TLSSocket): boolean {
  return Object.keys(secured.getPeerCertificate(false)).length > 0
}

/**
 * Keeps sessions once the server is accepted: with TLS 1.2 they come with the handshake, with TLS 1.3 after it. DANE
 * needs the chain, which a resumed session does not show.
 */
function keepSessions(secured: TLSSocket, { resume, now, dane }: ClientUpgrade): (judged: Judged) => void {
  let accepted: Judged | undefined
  let early: Buffer | undefined
  if (resume === undefined || dane !== undefined) return () => {}
  const keep = (session: Buffer, judged: Judged): void => {
    resume.sessions.keep(resume.key, { session, issuedAt: now(), ...judged })
  }
  secured.on('session', (session: Buffer) => {
    if (accepted === undefined) early = session
    else keep(session, accepted)
  })
  return (judged) => {
    accepted = judged
    if (early !== undefined) keep(early, judged)
  }
}

function resumptionOf({ resume }: ClientUpgrade, before: KeptSession | undefined): number {
  return (
    resumptionBits.supported |
    (resume === undefined ? 0 : resumptionBits.clientTakesTickets) |
    (before === undefined ? 0 : resumptionBits.clientBringsSession)
  )
}

/** `$tls_out_tlsa_usage`: one bit a usage. */
function usageBits(records: readonly TlsaRecord[]): number {
  return records.reduce((bits, { usage }) => bits | (usage < 8 ? 1 << usage : 0), 0)
}
