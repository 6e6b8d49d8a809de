/**
 * Authentication to the server: which mechanisms are tried, and what comes of it.
 * Source: Exim manual, "Authentication by an Exim client"; wording observed of Exim 4.96.
 */
import { Failure } from '../../../base/outcome.ts'
import { type ByteString, taint, textOf } from '../../../base/text.ts'
import type { AuthenticatorInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import { decodeBase64, encodeBase64 } from '../../../policy/authenticators/base64.ts'
import { isNo } from '../../../policy/authenticators/condition.ts'
import {
  type AuthenticatorDriver,
  authenticatorDrivers,
  type ClientVerdict,
  type ServerReply,
} from '../../../policy/authenticators/index.ts'
import { AuthValues } from '../../../policy/authenticators/values.ts'
import type { Broken } from '../../../wire/smtp/client.ts'
import type { SmtpReply } from '../../../wire/smtp/client-reply.ts'
import { expandedBytes, hostListed } from '../expanding.ts'
import type { PooledConnection } from '../pool.ts'
import { type DeliveryError, errorNumbers } from '../results.ts'
import { connectedContext } from './smtp-connected.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'
import { brokenError } from './smtp-session.ts'

export interface AuthRequest {
  readonly place: Place
  readonly settings: SmtpSettings
  readonly context: Context
  /** Of the message, for log lines. */
  readonly id: string
  readonly mark: number
}

/** As whom we are known to the server: `A=` on delivery lines. */
export interface Authenticated {
  readonly name: string
  readonly id: ByteString | undefined
}

export type AuthOutcome =
  | { readonly is: 'authenticated'; readonly as: Authenticated }
  /** Not wanted, not offered or refused, and not required. */
  | { readonly is: 'none' }
  /** Nothing may be sent over this connection. `atHost`: the error is a reply of this host, or its silence. */
  | {
      readonly is: 'failed'
      readonly error: DeliveryError
      readonly reply: ByteString | undefined
      readonly atHost: boolean
    }

/** Authenticates where the transport's host lists ask for it. */
export async function authenticate(connection: PooledConnection, request: AuthRequest): Promise<AuthOutcome> {
  const { place, settings, mark } = request
  const host = { address: place.address, name: place.name }
  const own = connectedContext(request.context, place, connection)
  const required = await hostListed(settings.hosts_require_auth, host, own)
  if (!required && !(await hostListed(settings.hosts_try_auth, host, own))) return { is: 'none' }
  if (connection.offers.auth.length === 0) {
    return unauthenticated(required, 'server did not advertise AUTH support', mark)
  }
  // Passwords are for no explanation.
  const context = { ...own, trace: undefined }
  let attempted = false
  for (const instance of context.server.configuration.authenticators) {
    const driver = await usable(instance, connection.offers.auth, { ...request, context })
    if (driver?.call === undefined) continue
    attempted = true
    const attempt = new Attempt(connection, instance, { ...request, context })
    const outcome = await attempt.run(driver.call)
    if (outcome !== undefined) return outcome
  }
  const why = attempted ? 'authentication attempt(s) failed' : 'no common mechanisms were found'
  return unauthenticated(required, why, mark)
}

function unauthenticated(required: boolean, why: string, mark: number): AuthOutcome {
  if (!required) return { is: 'none' }
  const message = `authentication required but ${why}`
  return {
    is: 'failed',
    error: { errno: errorNumbers.authFailed, more: mark, message },
    reply: undefined,
    atHost: false,
  }
}

/** The driver, when the authenticator is a client, its mechanism is offered and its condition holds. */
async function usable(
  instance: AuthenticatorInstance,
  offered: readonly string[],
  { context, id }: AuthRequest,
): Promise<AuthenticatorDriver | undefined> {
  const driver = authenticatorDrivers[instance.driver]
  if (driver === undefined || !driver.isClient(instance)) return undefined
  const { public_name, client_condition } = instance.settings
  if (!offered.includes((public_name ?? instance.name).toUpperCase())) return undefined
  if (client_condition === undefined) return driver
  const text = await context.ports.expand(client_condition, { ...context, captures: [] })
  if (!(text instanceof Failure)) return isNo(textOf(text)) ? undefined : driver
  if (text.kind !== 'forced') {
    context.ports.log.panic(
      id,
      `failed to expand condition "${client_condition.text}" for ${instance.name} client authenticator: ${text.message}`,
    )
  }
  return undefined
}

/** One mechanism at one server. */
class Attempt {
  readonly #connection: PooledConnection
  readonly #instance: AuthenticatorInstance
  readonly #request: AuthRequest
  readonly #values: AuthValues
  /** What was said last, passwords as stars. */
  #said = ''
  #last: SmtpReply | undefined
  #broken: Broken | undefined

  constructor(connection: PooledConnection, instance: AuthenticatorInstance, request: AuthRequest) {
    this.#connection = connection
    this.#instance = instance
    this.#request = request
    this.#values = new AuthValues(request.context, false)
  }

  /** Undefined: the next mechanism may be tried. */
  async run(call: NonNullable<AuthenticatorDriver['call']>): Promise<AuthOutcome | undefined> {
    const mechanism = (this.#instance.settings.public_name ?? this.#instance.name).toUpperCase()
    const verdict = await call({
      instance: this.#instance,
      values: this.#values,
      begin: (data) => {
        if (data === undefined) return this.#say(`AUTH ${mechanism}`, `AUTH ${mechanism}`)
        const encoded = encodeBase64(data) || '='
        return this.#say(`AUTH ${mechanism} ${encoded}`, `AUTH ${mechanism} ${stars(encoded)}`)
      },
      answer: (data) => {
        const encoded = encodeBase64(data)
        return this.#say(encoded, stars(encoded))
      },
      cancel: async () => void (await this.#say('*', '*')),
    })
    return this.#judge(verdict)
  }

  async #say(text: string, shown: string): Promise<ServerReply> {
    this.#said = shown
    const { commandMs } = this.#limits()
    const { replies, broken } = await this.#connection.client.exchange(`${text}\r\n`, 1, commandMs, shown)
    const reply = replies[0]
    this.#last = reply
    this.#broken = broken
    if (reply === undefined) return { is: 'ended' }
    if (reply.code === 334) {
      return { is: 'challenge', data: decodeBase64(reply.text.slice(4).trim()), text: reply.text }
    }
    return reply.code >= 200 && reply.code < 300 ? { is: 'accepted' } : { is: 'ended' }
  }

  #limits(): { readonly commandMs: number } {
    return { commandMs: this.#request.settings.command_timeout * 1000 }
  }

  async #judge(verdict: ClientVerdict): Promise<AuthOutcome | undefined> {
    const { mark } = this.#request
    if (this.#said !== '' && this.#last === undefined) {
      return this.#failedAtHost(brokenError(this.#broken, this.#said, mark), undefined)
    }
    switch (verdict.is) {
      case 'accepted':
        return { is: 'authenticated', as: { name: this.#instance.name, id: await this.#id() } }
      case 'declined':
        return undefined
      case 'cancelled':
        this.#log(`cancelled authentication`, verdict.why)
        return undefined
      case 'failure':
        return {
          is: 'failed',
          error: { errno: errorNumbers.authProblem, more: mark, message: verdict.message },
          reply: undefined,
          atHost: false,
        }
      case 'ended': {
        const reply = this.#last?.text ?? ''
        if ((this.#last?.code ?? 0) >= 500) {
          this.#log('failed', reply)
          await this.#raise(reply)
          return undefined
        }
        const message = `SMTP error from remote mail server after ${this.#said}: ${reply}`
        await this.#raise(reply)
        return this.#failedAtHost({ errno: 0, more: mark, message }, reply)
      }
    }
  }

  /** What the action says is for the log. */
  async #raise(reply: ByteString): Promise<void> {
    const { context, id } = this.#request
    const said = await context.ports.raise('auth:fail', taint(reply, '$event_data'), context)
    if (said !== '') context.ports.log.main(id, said, { event: 'auth:client-failed' })
  }

  #failedAtHost(error: DeliveryError, reply: ByteString | undefined): AuthOutcome {
    return { is: 'failed', error, reply, atHost: true }
  }

  #log(what: string, detail: ByteString): void {
    const { place, context, id } = this.#request
    context.ports.log.main(
      id,
      `${this.#instance.name} authenticator ${what} H=${place.name} [${place.address}] ${detail}`,
      { event: 'auth:client-failed', authenticator: this.#instance.name, host: place.name },
    )
  }

  /** `client_set_id`. */
  async #id(): Promise<ByteString | undefined> {
    const id = await this.#values.expandOptional(this.#instance.settings.client_set_id)
    return id === undefined || id instanceof Failure || textOf(id) === '' ? undefined : textOf(id)
  }
}

function stars(text: string): string {
  return '*'.repeat(text.length)
}

/**
 * For AUTH= of MAIL: `authenticated_sender`, else what came with the message; undefined: none is to be sent.
 * Source: Exim manual, "The smtp transport", authenticated_sender.
 */
export async function senderForAuth(
  settings: SmtpSettings,
  received: ByteString | undefined,
  context: Context,
): Promise<ByteString | undefined | Failure> {
  const own = await expandedBytes(settings.authenticated_sender, context)
  if (own instanceof Failure && own.kind !== 'forced') return own
  const sender = own instanceof Failure || own === '' ? undefined : own
  return sender ?? received
}
