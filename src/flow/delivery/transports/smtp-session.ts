/** One connection to one place: connect, greeting, EHLO or HELO. Source: RFC 5321 sections 3.1, 3.2; RFC 2033. */
import type { Socket } from 'node:net'
import { Failure, unreachable } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import { connectTo, systemError } from '../../../wire/outbound.ts'
import { type Broken, type Offers, noOffers, readOffers, SmtpClient } from '../../../wire/smtp/client.ts'
import type { SmtpReply } from '../../../wire/smtp/client-reply.ts'
import { type DeliveryError, errorNumbers } from '../results.ts'
import { connectTimeout } from '../retry/rules.ts'
import type { PooledConnection } from '../pool.ts'
import type { TlsFacts } from '../../../ports.ts'
import type { heloAt } from './smtp-connected.ts'
import type { DialogueSteps } from './smtp-dialogue.ts'
import type { EarlyWish } from './smtp-early.ts'
import type { Place } from './smtp-hosts.ts'
import type { TlsResultType } from '../../../wire/tls/handshake.ts'
import { connectThrough, type SocksProxy } from './smtp-socks.ts'
import { encrypt, startTls, type TlsStep, type TlsWish } from './smtp-tls.ts'

export interface SessionOptions {
  readonly lmtp: boolean
  readonly helo: ByteString
  /** In place of `helo`: what to say depends on the connection. */
  readonly heloAt?: ReturnType<typeof heloAt>
  readonly avoidEsmtp: boolean
  readonly localAddress: string | undefined
  /** Proxies to try, in order; undefined: none. */
  readonly proxies?: readonly SocksProxy[] | undefined
  readonly connectMs: number
  readonly commandMs: number
  readonly keepalive: boolean
  /** `dscp`: traffic class of what is sent. */
  readonly trafficOctet?: number | undefined
  readonly signal: AbortSignal | undefined
  /** Early pipelining; undefined: not with this host. */
  readonly early?: EarlyWish | undefined
  /** Takes the lines of the dialogue. */
  readonly trace?: ((line: ByteString) => void) | undefined
  /** Sees the dialogue, for an explanation. */
  readonly dialogue?: DialogueSteps | undefined
  /** Undefined: TLS plays no part (LMTP over a Unix socket). */
  readonly tls?: TlsWish | undefined
  /** Undefined: nobody is told. */
  readonly events?: SessionEvents | undefined
}

/** The events `smtp:connect` and `smtp:ehlo`, each as its reply has come; EHLO is answered again under TLS. */
export interface SessionEvents {
  /** A text refuses the connection. */
  banner(reply: ByteString): Promise<ByteString | undefined>
  ehlo(reply: ByteString): Promise<unknown>
}

/** Why a connection is of no use. `permanent`: a 5xx answer, so the addresses fail. */
export interface SessionFailure {
  readonly is: 'failed'
  readonly error: DeliveryError
  readonly permanent: boolean
  readonly reply: ByteString | undefined
  /** A connection had been made. */
  readonly connected?: boolean
  /** An event refused it; the host is not to blame. */
  readonly byEvent?: boolean
  /** TLS could not be had, and why: for TLS reports and the events of TLS. */
  readonly tls?: { readonly why: string; readonly result: TlsResultType } | undefined
}

/** A server that is ready, and what it said. */
export interface Greeted {
  readonly offers: Offers
  readonly ehlo: ByteString
}

export type Opened = { readonly is: 'open'; readonly connection: PooledConnection } | SessionFailure

export async function openSession(place: Place, options: SessionOptions): Promise<Opened> {
  const mark = place.mx ? 77 : 65
  const shown = place.name === undefined ? place.address : `${place.name} [${place.address}]:${place.port}`
  const unusable = options.tls?.unusable
  if (unusable !== undefined) options.dialogue?.unencrypted(unusable.problem)
  if (unusable !== undefined) return note(options.tls, tlsFailure(unusable.problem, mark, unusable.result))
  options.dialogue?.connecting()
  const connected =
    options.proxies === undefined
      ? await connectTo({
          address: place.address,
          port: place.port,
          localAddress: options.localAddress,
          timeoutMs: options.connectMs,
          keepalive: options.keepalive,
          trafficOctet: options.trafficOctet,
          signal: options.signal,
        })
      : await connectThrough(options.proxies, place, options)
  options.trace?.(
    `Connecting to ${shown} ... ${connected.is === 'failed' ? `failed: ${connected.message}` : 'connected'}`,
  )
  if (connected.is === 'failed') {
    options.dialogue?.gaveUp(connected.message)
    return {
      is: 'failed',
      error: {
        errno: connected.errno,
        more: connected.errno === errorNumbers.timedOut ? (connectTimeout << 8) | mark : mark,
        errorText: connected.message,
        message: undefined,
      },
      permanent: false,
      reply: undefined,
    }
  }
  const client = new SmtpClient(connected.socket, options.trace)
  client.watch = options.dialogue
  const helo = options.heloAt === undefined ? options.helo : await options.heloAt(endsOf(connected.socket))
  if (helo instanceof Failure) {
    client.destroy()
    const message = `failed to expand helo_data: ${helo.message}`
    const error = { errno: errorNumbers.expansionFailed, more: mark, message }
    return { is: 'failed', error, permanent: false, reply: undefined, connected: true }
  }
  const ready = await introduce(client, { ...options, helo }, mark)
  if (!('is' in ready))
    return {
      is: 'open',
      connection: asConnection(client, connected.socket, ready, leavesEarly(options)),
    }
  if (client.usable) client.destroy()
  // Once more and in clear, where the transport allows that.
  if (ready.is === 'clear') return openSession(place, { ...options, tls: undefined })
  return { ...ready, connected: true }
}

/** Our end of the connection. */
function endsOf({ localAddress, localPort }: Socket): Pick<PooledConnection, 'localAddress' | 'localPort'> {
  return { localAddress, localPort }
}

interface Ready extends Greeted {
  readonly tls: TlsFacts | undefined
}

function asConnection(
  client: SmtpClient,
  socket: Socket,
  { offers, tls }: Ready,
  early: boolean,
): PooledConnection {
  return {
    client,
    offers,
    tls,
    early,
    messages: 0,
    ...endsOf(socket),
  }
}

/** Greeting and EHLO, and EHLO again after STARTTLS; `clear`: TLS failed and need not be. */
async function introduce(
  client: SmtpClient,
  options: SessionOptions,
  mark: number,
): Promise<Ready | SessionFailure | { readonly is: 'clear' }> {
  const wish = options.tls
  if (wish?.onConnect === true) {
    const step = await encrypt(client, wish, true, options.commandMs)
    noteStep(wish, step, options.dialogue)
    if (step.is !== 'encrypted') return note(wish, tlsFailed(step, mark))
    const greeted = await greet(client, options, mark)
    return 'is' in greeted ? greeted : { ...greeted, tls: step.facts }
  }
  const greeted = await greet(client, options, mark)
  if ('is' in greeted) return greeted
  if (wish === undefined || wish.avoid) return { ...greeted, tls: undefined }
  if (!greeted.offers.starttls) {
    const missing = tlsFailure(
      'a TLS session is required, but the server did not offer TLS support',
      mark,
      'starttls-not-supported',
    )
    note(wish, missing)
    if (wish.required) {
      client.quit()
      return missing
    }
    wish.seen.end = 'clear'
    return { ...greeted, tls: undefined }
  }
  const step = await startTls(client, wish, options.commandMs, greeted.ehlo)
  noteStep(wish, step, options.dialogue)
  if (step.is === 'clear') return { ...greeted, tls: undefined }
  if (step.is !== 'encrypted') {
    const failed = note(wish, tlsFailed(step, mark))
    if (step.is === 'refused') client.quit()
    if (step.is !== 'broken' || wish.required || !wish.tryClear) return failed
    wish.seen.end = 'clear'
    return { is: 'clear' }
  }
  const again = await sayEhlo(client, options, mark)
  return 'is' in again ? again : { ...again, tls: step.facts }
}

/** Keeps what became of TLS. */
function noteStep({ seen }: TlsWish, step: TlsStep, dialogue: DialogueSteps | undefined): void {
  if (step.is === 'broken') dialogue?.unencrypted(step.why)
  if (step.is === 'encrypted') {
    dialogue?.encrypted(step.facts)
    seen.end = 'encrypted'
    seen.failure = step.unverified
  } else if (step.is === 'clear') {
    seen.end = 'clear'
    seen.failure = { why: 'the server refused to start TLS', result: 'starttls-not-supported' }
  }
}

function note(wish: TlsWish | undefined, failure: SessionFailure): SessionFailure {
  if (wish !== undefined) {
    wish.seen.end = 'failed'
    wish.seen.failure = failure.tls
  }
  return failure
}

function tlsFailed(step: Exclude<TlsStep, { is: 'encrypted' | 'clear' }>, mark: number): SessionFailure {
  switch (step.is) {
    case 'lost':
      return withTls(brokenOff(step.broken, 'STARTTLS', mark))
    case 'refused':
      return step.required
        ? tlsFailure(
            `a TLS session is required, but an attempt to start TLS failed: ${step.reply.text}`,
            mark,
          )
        : withTls(refusedForNow(step.reply.text, mark))
    case 'broken': {
      const error = { errno: errorNumbers.tlsFailure, more: mark, message: `TLS session: ${step.why}` }
      const { why, result = 'validation-failure' } = step
      return { is: 'failed', error, permanent: false, reply: undefined, tls: { why, result } }
    }
    default:
      return unreachable(step)
  }
}

/** For TLS reports. */
function withTls(failure: SessionFailure): SessionFailure {
  return { ...failure, tls: { why: failure.error.message ?? '', result: 'validation-failure' } }
}

/** STARTTLS was answered with 4xx, and `tls_tempfail_tryclear` is not set: the host may do better later. */
function refusedForNow(reply: ByteString, mark: number): SessionFailure {
  const message = `SMTP error from remote mail server after STARTTLS: ${reply}`
  return { is: 'failed', error: { errno: 0, more: mark, message }, permanent: false, reply }
}

function tlsFailure(
  message: string,
  mark: number,
  result: TlsResultType = 'validation-failure',
): SessionFailure {
  return {
    is: 'failed',
    error: { errno: errorNumbers.tlsRequired, more: mark, message },
    permanent: false,
    reply: undefined,
    tls: { why: message, result },
  }
}

/** From the greeting to the answer to EHLO, or HELO where EHLO is not known. */
export async function greet(
  client: SmtpClient,
  options: SessionOptions,
  mark: number,
): Promise<Greeted | SessionFailure> {
  const early = leavesEarly(options)
  if (early) client.write(`EHLO ${options.helo}\r\n`)
  const banner = await client.replies(1, options.commandMs)
  const greeting = banner.replies[0]
  if (greeting === undefined) {
    options.early?.tell(false)
    return brokenOff(banner.broken, 'initial connection', mark)
  }
  if (greeting.code >= 300) return refused(greeting, 'initial connection', mark, client)
  const unwanted = await options.events?.banner(greeting.text)
  if (unwanted !== undefined) {
    client.quit()
    return refusedByEvent(unwanted)
  }
  const greeted = await sayEhlo(client, options, mark, early)
  options.early?.tell(!('is' in greeted) && greeted.offers.pipeConnect)
  return greeted
}

/** Not where TLS comes first, a proxy stands between, or EHLO is not what is said. */
function leavesEarly({ early, lmtp, avoidEsmtp, proxies, tls }: SessionOptions): boolean {
  return early?.known === true && !lmtp && !avoidEsmtp && proxies === undefined && tls?.onConnect !== true
}

async function sayEhlo(
  client: SmtpClient,
  options: SessionOptions,
  mark: number,
  said: boolean = false,
): Promise<Greeted | SessionFailure> {
  const esmtp = options.lmtp || !options.avoidEsmtp
  let ehloReply = ''
  if (esmtp) {
    const command = options.lmtp ? 'LHLO' : 'EHLO'
    const answer = said
      ? await client.replies(1, options.commandMs)
      : await client.exchange(`${command} ${options.helo}\r\n`, 1, options.commandMs)
    const reply = answer.replies[0]
    if (reply === undefined) return brokenOff(answer.broken, `${command} ${options.helo}`, mark)
    if (reply.code < 300) {
      await options.events?.ehlo(reply.text)
      return { offers: readOffers(reply.text), ehlo: reply.text }
    }
    if (options.lmtp) return refused(reply, `LHLO ${options.helo}`, mark, client)
    ehloReply = reply.text
  }
  // RFC 5321 section 3.2: a server that does not know EHLO is asked again with HELO.
  const answer = await client.exchange(`HELO ${options.helo}\r\n`, 1, options.commandMs)
  const reply = answer.replies[0]
  if (reply === undefined) {
    const after = `HELO ${options.helo}${ehloReply === '' ? '' : ` (EHLO response was: ${ehloReply})`}`
    return brokenOff(answer.broken, after, mark)
  }
  if (reply.code >= 300) return refused(reply, `HELO ${options.helo}`, mark, client)
  await options.events?.ehlo(reply.text)
  return { offers: noOffers, ehlo: reply.text }
}

function refusedByEvent(text: ByteString): SessionFailure {
  const message = `deferred by smtp:connect event expansion: ${text}`
  const error = { errno: errorNumbers.eventDeferred, more: 0, message }
  return { is: 'failed', error, permanent: false, reply: undefined, byEvent: true }
}

function refused(reply: SmtpReply, stage: string, mark: number, client: SmtpClient): SessionFailure {
  client.quit()
  return {
    is: 'failed',
    error: {
      errno: 0,
      more: mark,
      message: `SMTP error from remote mail server after ${stage}: ${reply.text}`,
    },
    permanent: reply.code >= 500,
    reply: reply.text,
  }
}

function brokenOff(broken: Broken | undefined, stage: string, mark: number): SessionFailure {
  return { is: 'failed', error: brokenError(broken, stage, mark), permanent: false, reply: undefined }
}

/** The error of an exchange that got no answer, with Exim's sentence. */
export function brokenError(broken: Broken | undefined, stage: string, mark: number): DeliveryError {
  switch (broken?.is) {
    case 'timeout':
      return {
        errno: errorNumbers.timedOut,
        more: mark,
        errorText: 'Connection timed out',
        message: `SMTP timeout after ${stage}`,
      }
    case 'malformed':
      return {
        errno: errorNumbers.malformedReply,
        more: mark,
        message: `Malformed SMTP reply in response to ${stage}: ${broken.text}`,
      }
    case 'error': {
      const { errno, message } = systemError(broken.error)
      return {
        errno,
        more: mark,
        errorText: message,
        message: `Remote host closed connection in response to ${stage}`,
      }
    }
    default:
      return {
        errno: errorNumbers.lostConnection,
        more: mark,
        message: `Remote host closed connection in response to ${stage}`,
      }
  }
}
