/** Callout verification: asks the hosts of an address whether they would take it. Source: Exim manual, "Callout verification". */
import { Failure, isFailure } from '../../../base/outcome.ts'
import { type ByteString, textOf } from '../../../base/text.ts'
import { quotedLocalPart, splitAddress } from '../../../mail/address.ts'
import type { CalloutOptions } from '../../../policy/acl/verify/callout-options.ts'
import { flushReplies } from '../../../policy/acl/flush.ts'
import type { CalloutTold, Context, VerifyResult } from '../../../ports.ts'
import type { Callout, CalloutTarget } from '../../callout-types.ts'
import type { RouteHost } from '../../routed.ts'
import type { PooledConnection } from '../pool.ts'
import { addressContext } from '../raise.ts'
import { DialogueSteps } from '../transports/smtp-dialogue.ts'
import { type Place, placesOf } from '../transports/smtp-hosts.ts'
import type { SessionFailure } from '../transports/smtp-session.ts'
import type { TlsClientRoom } from '../transports/smtp-tls.ts'
import {
  type Answer,
  type DomainFindings,
  type DomainRecord,
  readAddress,
  readDomain,
  writeAddress,
  writeDomain,
} from './cache.ts'
import { ask, type Asked } from './dialogue.ts'
import { Held, heldOf, hold } from './held.ts'
import { type CalloutWork, openForCallout, quitCallout } from './open.ts'
import { calloutHosts, calloutPort, type CalloutSettings, calloutSettings } from './places.ts'

export interface CalloutDeps {
  readonly tls: TlsClientRoom
}

type Kind = 'recipient' | 'sender'

export function createCallout(deps: CalloutDeps): Callout {
  return async (target, kind, options, context) => {
    const settings = calloutSettings(target.transport)
    if (settings === undefined) return passed(context, 'cannot callout via other than an smtp transport')
    const within = contextOf(target, context)
    const hosts = await calloutHosts(target, settings, within)
    if (hosts instanceof Failure) return incomplete(kind, options, hosts.message)
    if (hosts.length === 0) return passed(context, 'no hosts for a callout: the address is local')
    context.debug?.('verify', 'Attempting full verification using callout')
    if (context.connection?.extra.has('no callouts') === true) {
      context.debug?.('verify', '... callout omitted by default when host testing')
      return passed(context, '(Use -bhc if you want the callouts to happen.)')
    }
    return new Question(target, kind, options, within, deps, settings).run(hosts)
  }
}

function passed(context: Context, why: string): VerifyResult {
  context.debug?.('verify', why)
  return { is: 'ok' }
}

/** What expansions of the transport's options see. */
function contextOf(target: CalloutTarget, context: Context): Context {
  const { transport } = target
  if (transport !== undefined) return addressContext(context, { ...target, transport })
  return { ...context, address: target.facts }
}

/** @param told the answer that put it off, when there was one */
function incomplete(kind: Kind, options: CalloutOptions, why: ByteString, told?: CalloutTold): VerifyResult {
  if (options.deferOk) return { is: 'ok' }
  const text = `Could not complete ${kind} verify callout`
  return { is: 'defer', userMessage: text, logMessage: `${text}: ${why}`, callout: { told } }
}

/** What one host made of the question; `next`: another host may know. */
type HostAnswer =
  | { readonly is: 'verified'; readonly result: VerifyResult }
  | { readonly is: 'next'; readonly why: ByteString; readonly told?: CalloutTold }

/** One address, asked at its hosts until one of them knows. */
class Question {
  readonly #target: CalloutTarget
  readonly #kind: Kind
  readonly #options: CalloutOptions
  readonly #context: Context
  readonly #work: CalloutWork
  readonly #settings: CalloutSettings
  /** As RCPT names it. */
  readonly #address: ByteString
  readonly #domain: string
  readonly #from: ByteString
  readonly #addressKey: ByteString
  #known: DomainRecord | undefined
  /** Of the connection that was opened last. */
  #poolKey = ''

  constructor(
    target: CalloutTarget,
    kind: Kind,
    options: CalloutOptions,
    context: Context,
    deps: CalloutDeps,
    settings: CalloutSettings,
  ) {
    this.#target = target
    this.#kind = kind
    this.#options = options
    this.#context = context
    this.#work = { target, options, settings, context, tls: deps.tls }
    this.#settings = settings
    this.#address = rcptAddress(target, settings)
    this.#domain = target.facts.domain.toLowerCase()
    this.#from = this.#sender()
    this.#addressKey = this.#from === '' ? target.address : `${target.address}/<${this.#from}>`
  }

  #sender(): ByteString {
    const { useSender, usePostmaster, mailfrom } = this.#options
    if (useSender) return this.#context.message?.sender ?? ''
    if (usePostmaster) return `postmaster@${this.#context.server.qualifyDomain}`
    return mailfrom ?? ''
  }

  async run(hosts: readonly RouteHost[]): Promise<VerifyResult> {
    const remembered = this.#remembered()
    if (remembered !== undefined) return remembered
    const { ports } = this.#context
    const port = await calloutPort(this.#settings, this.#context)
    if (port instanceof Failure) return incomplete(this.#kind, this.#options, port.message)
    flushReplies(this.#context, 'noCalloutFlush')
    const startedAt = ports.now()
    let why: ByteString = 'no host could be asked'
    let told: CalloutTold | undefined
    for (const host of hosts) {
      const places = await placesOf(host, port, this.#context, this.#settings)
      if (typeof places === 'string') {
        why =
          places === 'again'
            ? `failed to lookup IP address for ${host.name}`
            : `no IP address found for host ${host.name}`
        continue
      }
      for (const place of places) {
        if (ports.now() - startedAt >= this.#options.maxwaitSeconds * 1000) {
          this.#context.debug?.('verify', 'callout: the overall time limit is over')
          return incomplete(this.#kind, this.#options, why, told)
        }
        if (this.#isOurselves(place)) {
          why = `${place.name} [${place.address}] : is this host`
          continue
        }
        const answer = await this.#askAt(place)
        if (answer.is === 'verified') return answer.result
        why = `${place.name} [${place.address}] : ${answer.why}`
        told = answer.told
      }
    }
    return incomplete(this.#kind, this.#options, why, told)
  }

  /** Hosts that the router gave have been looked at there. */
  #isOurselves(place: Place): boolean {
    if (this.#settings.allow_localhost || this.#target.hosts.length > 0) return false
    return this.#context.server.localInterfaces().includes(place.address)
  }

  /** What the cache knows already; undefined: somebody must be asked. */
  #remembered(): VerifyResult | undefined {
    const { debug } = this.#context
    if (this.#options.noCache) {
      debug?.('verify', 'callout cache: disabled by no_cache')
      return undefined
    }
    this.#known = readDomain(this.#domain, this.#context)
    const known = this.#known
    if (known?.result === 'refuses' && this.#from === '') {
      debug?.(
        'verify',
        'callout cache: domain gave initial rejection, or does not accept HELO or MAIL FROM:<>',
      )
      return cached('mail', '(result of an earlier callout reused).')
    }
    if (this.#options.random && known?.random !== undefined) {
      debug?.('verify', `callout cache: domain ${known.random} random addresses`)
      if (known.random === 'accepts') return { is: 'ok', failure: 'random' }
    }
    if (this.#options.postmasterFrom !== undefined && known?.postmaster !== undefined) {
      const word = known.postmaster === 'accepts' ? 'accepts' : 'does not accept'
      debug?.('verify', `callout cache: domain ${word} RCPT TO:<postmaster@domain>`)
      if (known.postmaster === 'rejects') {
        return cached('postmaster', '(result of earlier verification reused).')
      }
    }
    const address = readAddress(this.#addressKey, this.#context)
    if (address === 'rejects') return cached('recipient', 'Previous (cached) callout verification failure')
    const postmasterDue = this.#options.postmasterFrom !== undefined && known?.postmaster === undefined
    return address === 'accepts' && !postmasterDue ? this.#accepted() : undefined
  }

  /** The answer speaks for the address: its parts are no longer a stranger's. */
  #accepted(): VerifyResult {
    const { domain } = splitAddress(this.#target.address)
    if (this.#kind !== 'recipient') return { is: 'ok' }
    return { is: 'ok', domainData: domain, localPartData: this.#target.facts.localPart }
  }

  async #askAt(place: Place): Promise<HostAnswer> {
    const step = this.#context.trace?.begin('host', `${place.name} [${place.address}]:${place.port}`)
    if (step === undefined) return this.#askWatched(place, undefined)
    const dialogue = new DialogueSteps(step)
    const answer = await this.#askWatched(place, dialogue)
    dialogue.over()
    step.end(answer.is === 'next' ? answer.why : (answer.result.logMessage ?? answer.result.is))
    return answer
  }

  async #askWatched(place: Place, dialogue: DialogueSteps | undefined): Promise<HostAnswer> {
    const held = heldOf(this.#context.message)
    const name = this.#target.transport?.name ?? ''
    if (this.#holds && held?.fits(place, name, this.#from) === true) {
      held.connection.client.watch = dialogue
      return this.#converse(held.connection, place, held)
    }
    const opened = await openForCallout(this.#work, place, dialogue)
    if ('is' in opened) return this.#unopened(opened, place)
    this.#poolKey = opened.poolKey
    return this.#converse(opened.connection, place, undefined)
  }

  get #holds(): boolean {
    const { hold: wanted, useSender, random, postmasterFrom } = this.#options
    const cutthrough = this.#context.message?.controls.cutthrough !== undefined
    return (
      this.#kind === 'recipient' &&
      useSender &&
      (wanted || cutthrough) &&
      !random &&
      postmasterFrom === undefined
    )
  }

  /** No session came about: only a refusal for good is an answer. */
  #unopened(failure: SessionFailure, place: Place): HostAnswer {
    const why = failure.error.message ?? failure.error.errorText ?? ''
    if (!failure.permanent) return { is: 'next', why }
    const told = { called: place.address, sent: stageOf(why), response: failure.reply ?? '' }
    return { is: 'verified', result: refused('mail', place, why, told) }
  }

  async #converse(connection: PooledConnection, place: Place, held: Held | undefined): Promise<HostAnswer> {
    let keeps = false
    try {
      const random =
        this.#options.random && this.#known?.random === undefined ? await this.#random(connection) : undefined
      if (random?.is === 'accepted') {
        this.#write({ random: 'accepts' })
        return { is: 'verified', result: { is: 'ok', failure: 'random' } }
      }
      const asked =
        random !== undefined && random.at === 'mail'
          ? random
          : await ask(connection.client, {
              ...this.#common(connection),
              to: this.#address,
              again: random !== undefined,
              sameMail: held !== undefined,
            })
      const answer = await this.#judge(asked, random?.is === 'rejected', connection, place)
      keeps = asked.is === 'accepted' && this.#holds
      if (keeps) this.#keep(held ?? this.#newHeld(connection, place))
      // A refused RCPT leaves the transaction of those before it as it was.
      if (held !== undefined && asked.is !== 'lost') keeps = true
      return answer
    } finally {
      if (!keeps) quitCallout(connection)
    }
  }

  #newHeld(connection: PooledConnection, place: Place): Held {
    return new Held(connection, this.#poolKey, place, this.#target.transport?.name ?? '', this.#from)
  }

  #keep(held: Held): void {
    const { message } = this.#context
    if (message === undefined) return held.close()
    held.targets.push(this.#target)
    held.lastAt = this.#context.ports.now()
    hold(message, held)
  }

  #common(connection: PooledConnection): Omit<Parameters<typeof ask>[1], 'to' | 'again'> {
    return {
      from: this.#from,
      pipelining: connection.offers.pipelining,
      timeoutMs: this.#options.timeoutSeconds * 1000,
      parameters: this.#context.message?.smtputf8 === true && connection.offers.smtputf8 ? ' SMTPUTF8' : '',
    }
  }

  /** A local part that nobody has; undefined: there is none to try. */
  async #random(connection: PooledConnection): Promise<Asked | undefined> {
    const option = this.#context.settings.callout_random_local_part
    const text = await this.#context.ports.expand(option, this.#context)
    if (isFailure(text)) {
      if (text.kind !== 'forced') {
        this.#context.ports.log.panic(
          undefined,
          `failed to expand callout_random_local_part: ${text.message}`,
        )
      }
      return undefined
    }
    const localPart = textOf(text).replace(/[^!-~\x80-\xff]|[<>@]/g, '')
    if (localPart === '') return undefined
    return ask(connection.client, {
      ...this.#common(connection),
      to: `${localPart}@${this.#target.facts.domain}`,
      again: false,
    })
  }

  async #judge(
    asked: Asked,
    rejectsRandom: boolean,
    connection: PooledConnection,
    place: Place,
  ): Promise<HostAnswer> {
    const random = rejectsRandom ? ('rejects' as const) : undefined
    if (asked.is === 'accepted') {
      this.#writeAddress('accepts')
      return this.#postmaster(random, connection, place)
    }
    const ofNull = asked.at === 'mail' && this.#from === '' && asked.is === 'rejected'
    this.#write({ random, refuses: ofNull })
    if (asked.is === 'lost') return { is: 'next', why: asked.message }
    const why = toldReply(asked)
    const told = { called: place.address, sent: asked.sent, response: asked.reply.text }
    if (asked.is === 'deferred') return { is: 'next', why, told }
    if (asked.at === 'mail') return { is: 'verified', result: refused('mail', place, why, told) }
    this.#writeAddress('rejects')
    return { is: 'verified', result: refused('recipient', place, why, told) }
  }

  /** Source: Exim manual, callout options "postmaster" and "fullpostmaster". */
  async #postmaster(
    random: Answer | undefined,
    connection: PooledConnection,
    place: Place,
  ): Promise<HostAnswer> {
    const from = this.#options.postmasterFrom
    if (from === undefined || this.#known?.postmaster === 'accepts') {
      this.#write({ random })
      return { is: 'verified', result: this.#accepted() }
    }
    const question = { ...this.#common(connection), from, to: `postmaster@${this.#target.facts.domain}` }
    let asked = await ask(connection.client, { ...question, again: true })
    if (asked.is === 'rejected' && this.#options.fullPostmaster) {
      asked = await ask(connection.client, { ...question, to: 'postmaster', again: true, sameMail: true })
    }
    if (asked.is === 'accepted') {
      this.#write({ random, postmaster: 'accepts' })
      return { is: 'verified', result: this.#accepted() }
    }
    if (asked.is === 'lost') {
      this.#write({ random })
      return { is: 'next', why: asked.message }
    }
    if (asked.is === 'deferred') {
      this.#write({ random })
      return { is: 'next', why: toldReply(asked) }
    }
    this.#write({ random, postmaster: 'rejects' })
    const told = { called: place.address, sent: asked.sent, response: asked.reply.text }
    return { is: 'verified', result: refused('postmaster', place, toldReply(asked), told) }
  }

  #write(found: DomainFindings): void {
    if (!this.#options.noCache) writeDomain(this.#domain, found, this.#known, this.#context)
  }

  #writeAddress(answer: Answer): void {
    if (!this.#options.noCache) writeAddress(this.#addressKey, answer, this.#context)
  }
}

/** Without affixes unless `rcpt_include_affixes`. */
function rcptAddress({ address, facts }: CalloutTarget, settings: CalloutSettings): ByteString {
  const plain = facts.prefix === undefined && facts.suffix === undefined
  return settings.rcpt_include_affixes || plain
    ? address
    : `${quotedLocalPart(facts.localPart)}@${facts.domain}`
}

/** `... after HELO name: 550 no`: the command that was refused. */
function stageOf(why: ByteString): ByteString {
  return /^SMTP error from remote mail server after (.*?): \d{3}/s.exec(why)?.[1] ?? 'initial connection'
}

function toldReply({ at, sent, reply }: Extract<Asked, { is: 'rejected' | 'deferred' }>): ByteString {
  return at === 'rcpt'
    ? `SMTP error from remote mail server after ${sent}: ${reply.text}`
    : `response to "${sent}" was: ${reply.text}`
}

function refused(failure: string, place: Place, why: ByteString, told: CalloutTold): VerifyResult {
  return {
    is: 'fail',
    failure,
    userMessage: `Callout verification failed:\n${told.response}`,
    logMessage: `${place.name} [${place.address}] : ${why}`.replaceAll('\n', '\\n'),
    callout: { told },
  }
}

function cached(failure: string, text: ByteString): VerifyResult {
  return { is: 'fail', failure, userMessage: text, logMessage: undefined, callout: { told: undefined } }
}
