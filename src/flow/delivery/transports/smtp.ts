/** The smtp transport: to other hosts over TCP, SMTP or LMTP. Source: Exim manual, "The smtp transport". */
import { Failure } from '../../../base/outcome.ts'
import type { ByteString } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import type { RouteHost, RoutedAddress } from '../../routed.ts'
import { expandedBoolean, expandedBytes, expandedInteger, hostListed, mistakeIn } from '../expanding.ts'
import { domainOf, type BatchLimits } from '../group.ts'
import { followOn, type HandedConnection } from '../follow.ts'
import { type PooledConnection, poolKeyOf } from '../pool.ts'
import { type AddressOutcome, errorNumbers, type TransportResult } from '../results.ts'
import { hostRetryKey } from '../retry/record.ts'
import { hostStanding } from '../retry/standing.ts'
import type { TransportDriver } from './driver.ts'
import { DialogueSteps } from './smtp-dialogue.ts'
import { earlyWish } from './smtp-early.ts'
import { hostsOfOption, type Place, placesOf } from './smtp-hosts.ts'
import { smtpOptions, type SmtpSettings } from './smtp.options.ts'
import { connectedContext, headersWait, heloAt } from './smtp-connected.ts'
import { identityAt } from './smtp-identity.ts'
import { interfaceFor } from './smtp-interface.ts'
import { type Prepared, prepare } from './smtp-prepare.ts'
import { deferredBy } from './smtp-words.ts'
import type { SessionOptions } from './smtp-session.ts'
import { type TlsUse, tlsWish } from './smtp-tls.ts'
import type { TransactionResult } from './smtp-transaction.ts'
import { internalFault, sharedOutcome } from './shared.ts'
import { SmtpLedger, type SmtpRun } from './smtp-ledger.ts'
import { SmtpMessage } from './smtp-message.ts'
import { openConnection } from './smtp-open.ts'
import { forgetWaiting, rememberWaiting } from '../waiting.ts'

export const smtp: TransportDriver = {
  name: 'smtp',
  doc: 'Sends messages to other hosts over TCP, by SMTP or LMTP.',
  options: smtpOptions,
  local: false,
  check(instance, report) {
    const { protocol } = settingsOf(instance)
    if (protocol !== 'smtp' && protocol !== 'lmtp' && protocol !== 'smtps') {
      // Exim takes any word for smtp, and looks for a port of that name where none is set: mail would wait.
      const works = instance.setAt.has('port')
      report({
        code: 'smtp-protocol',
        severity: works ? 'warning' : 'error',
        message: `invalid setting for protocol option for the ${instance.name} transport: "${protocol}"`,
        at: instance.setAt.get('protocol') ?? instance.at,
        help: works ? 'smtp is spoken; write smtp, smtps or lmtp' : 'one of smtp, smtps and lmtp',
        fatal: !works,
      })
    }
  },
  async limits(routed, context): Promise<BatchLimits> {
    const settings = settingsOf(routed.transport)
    const most = await expandedInteger(settings.max_rcpt, context, 100)
    const multiDomain = await expandedBoolean(settings.multi_domain, context, true)
    return {
      // One that cannot be told puts them all off, each by itself.
      most: most instanceof Failure || mistakeIn(multiDomain) !== undefined ? 1 : most,
      multiDomain: multiDomain instanceof Failure || multiDomain,
    }
  },
  async leave(routed, context, id) {
    const hosts = await ownHosts(settingsOf(routed.transport), routed, context)
    if (hosts instanceof Failure) return
    const names = hosts.map((host) => host.name)
    rememberWaiting(context.ports.hints, routed.transport.name, names, id)
  },
  run: (batch, context, environment) =>
    new SmtpDelivery({
      batch,
      context,
      environment,
      settings: settingsOf(batch.transport),
      // A batch holds at least one address.
      first: batch.addresses[0] as RoutedAddress,
    }).run(),
}

/** The driver of the instance is smtp, so its settings were read through the table of smtp. */
function settingsOf(instance: TransportInstance): TransportInstance<SmtpSettings>['settings'] {
  return (instance as TransportInstance<SmtpSettings>).settings
}

/** The hosts of the router, or of the transport where they take precedence. */
async function ownHosts(
  settings: SmtpRun['settings'],
  routed: RoutedAddress,
  context: Context,
): Promise<readonly RouteHost[] | Failure> {
  const own = settings.hosts !== undefined && (settings.hosts_override || routed.hosts.length === 0)
  return own ? hostsOfOption(settings.hosts, settings.hosts_randomize, context) : routed.hosts
}

/** What one attempt at a place came to, beside the outcomes it settled. */
type Attempt = {
  readonly tried: boolean
  /** Ends all attempts: the message cannot be sent as it must be. */
  readonly stop?: AddressOutcome
}

class SmtpDelivery {
  readonly #run: SmtpRun
  readonly #ledger: SmtpLedger
  readonly #message: SmtpMessage
  #tries = 0
  #looked = 0
  #hostsLeft = false
  /** Hosts that might have got it. */
  readonly #hostNames = new Set<string>()

  constructor(run: SmtpRun) {
    this.#run = run
    this.#ledger = new SmtpLedger(run)
    this.#message = new SmtpMessage(run)
  }

  async run(): Promise<TransportResult> {
    const { batch, context } = this.#run
    const startedAt = context.ports.now()
    const problem = await this.#deliver().catch((error: unknown) => this.#faultAfterAll(error))
    this.#noteWaiting()
    const deliveryMs = context.ports.now() - startedAt
    // What stops all attempts changes nothing for those whom a host has taken or refused before.
    const outcome = (routed: RoutedAddress): AddressOutcome =>
      problem === undefined ? this.#ledger.outcome(routed) : (this.#ledger.settled.get(routed) ?? problem)
    return {
      addresses: batch.addresses.map((routed) => ({ routed, outcome: outcome(routed), deliveryMs })),
      hosts: this.#ledger.hosts,
      ...(problem === undefined
        ? { passedOverUntil: this.#ledger.waitingUntil, hostsLeft: this.#hostsLeft }
        : {}),
    }
  }

  #faultAfterAll(error: unknown): AddressOutcome {
    if (this.#ledger.settled.size === 0) throw error
    const { batch, context, environment } = this.#run
    return internalFault(error, batch, context, environment.claim.id)
  }

  /** Tries hosts in order until all addresses are settled; gives what stops all of it. */
  async #deliver(): Promise<AddressOutcome | undefined> {
    const common = await sharedOutcome(this.#run.batch, this.#run.context)
    if (common !== undefined) return common
    const longest = this.#run.settings.message_linelength_limit
    if (longest > 0 && this.#run.environment.claim.message.envelope.maxReceivedLineLength > longest) {
      return {
        is: 'failed',
        error: { errno: errorNumbers.unknown, more: 0, message: 'message has lines too long for transport' },
      }
    }
    const request = await prepare(
      this.#run.batch,
      this.#run.settings,
      this.#run.context,
      this.#run.environment,
    )
    if ('is' in request) return request
    const hosts = await this.#hostList()
    if ('is' in hosts) return hosts
    const problem = await this.#tryHosts(hosts, request)
    const wrapped = this.#run.context.settings.mua_wrapper
    if (problem !== undefined || wrapped || this.#ledger.pending.length === 0) return problem
    const fallback = await this.#fallbackHosts()
    if ('is' in fallback) return fallback
    return fallback.length === 0 ? undefined : this.#tryHosts(fallback, request)
  }

  async #hostList(): Promise<readonly RouteHost[] | AddressOutcome> {
    const { first, settings } = this.#run
    const hosts = await ownHosts(settings, first, this.#run.context)
    if (hosts instanceof Failure) {
      return deferredBy(
        `failed to expand list of hosts "${settings.hosts?.text ?? ''}" in ${this.#run.batch.transport.name} transport: ${hosts.message}`,
      )
    }
    if (hosts.length === 0) {
      const { name } = this.#run.batch.transport
      return deferredBy(
        settings.hosts === undefined
          ? `${name} transport called with no hosts set`
          : `${name} transport has empty hosts setting`,
      )
    }
    return hosts
  }

  async #fallbackHosts(): Promise<readonly RouteHost[] | AddressOutcome> {
    const routed = this.#run.first
    // Source: Exim manual, smtp transport option "fallback_hosts".
    if (routed.secondary === true) return []
    if (routed.fallbackHosts.length > 0) return routed.fallbackHosts
    const hosts = await hostsOfOption(this.#run.settings.fallback_hosts, undefined, this.#run.context)
    return hosts instanceof Failure ? deferredBy(hosts.message) : hosts
  }

  async #tryHosts(hosts: readonly RouteHost[], request: Prepared): Promise<AddressOutcome | undefined> {
    const port = await this.#port(request.lmtp)
    if (typeof port !== 'number') return port
    const { handed } = this.#run.environment
    for (const host of hosts) this.#hostNames.add(host.name)
    for (const host of hosts) {
      if (this.#ledger.pending.length === 0) break
      if (handed !== undefined && handed.place.name !== host.name) continue
      if (this.#enough()) {
        this.#hostsLeft = true
        break
      }
      const places = await placesOf(host, port, this.#run.context, this.#run.settings)
      if (places === 'insecure') {
        return deferredBy(`host lookup for "${host.name}" done insecurely`)
      }
      if (places === 'again' || places === 'none') {
        this.#ledger.lookupFailed(host, places)
        continue
      }
      for (const place of places) {
        if (this.#ledger.pending.length === 0) break
        if (handed !== undefined && !samePlace(handed.place, place)) continue
        if (this.#enough()) {
          this.#hostsLeft = true
          break
        }
        this.#looked++
        if (!this.#allowed(place)) {
          const told = `${this.#run.batch.transport.name} transport found host ${place.name} to be local`
          return deferredBy(told, errorNumbers.localHost)
        }
        const attempt = await this.#tryPlace(place, request)
        if (attempt.stop !== undefined) return attempt.stop
        if (attempt.tried) this.#tries++
      }
    }
    return undefined
  }

  /** `hosts_max_try` counts connections, the hard limit also addresses whose retry time is not reached. */
  #enough(): boolean {
    return (
      this.#tries >= this.#run.settings.hosts_max_try ||
      this.#looked >= this.#run.settings.hosts_max_try_hardlimit
    )
  }

  /** A message sent to ourselves would come back; routers have looked at the hosts they gave. */
  #allowed(place: Place): boolean {
    if (this.#run.settings.allow_localhost || this.#run.first.hosts.length > 0) return true
    return !this.#run.context.server.localInterfaces().includes(place.address)
  }

  async #port(lmtp: boolean): Promise<number | AddressOutcome> {
    const option = this.#run.settings.port
    const text = await expandedBytes(option, this.#run.context)
    const { name } = this.#run.batch.transport
    if (text instanceof Failure) {
      return deferredBy(
        `failed to expand "${option?.text ?? ''}" ("port" option) for ${name} transport: ${text.message}`,
      )
    }
    if (text === undefined) {
      return lmtp ? 24 : this.#run.settings.protocol === 'smtps' ? 465 : 25
    }
    const named = { smtp: 25, lmtp: 24, smtps: 465, submission: 587, submissions: 465 }[text.trim()]
    const port = named ?? Number(text)
    if (Number.isInteger(port) && port > 0 && port < 65_536) return port
    return deferredBy(
      /^\d+[^\d]/.test(text)
        ? `invalid port number for ${name} transport: ${text}`
        : `TCP port "${text}" is not defined for ${name} transport`,
    )
  }

  /** With an explanation: the host, the dialogue with it, and what came of it. */
  async #tryPlace(place: Place, request: Prepared): Promise<Attempt> {
    const step = this.#run.context.trace?.begin('host', `${place.name} [${place.address}]:${place.port}`)
    if (step === undefined) return this.#tryPlaceWatched(place, request, undefined)
    const before = this.#ledger.hosts.length
    const dialogue = new DialogueSteps(step)
    const attempt = await this.#tryPlaceWatched(place, request, dialogue)
    dialogue.over()
    step.end(dialogue.why ?? this.#ledger.cameOf(place, before))
    return attempt
  }

  async #tryPlaceWatched(
    place: Place,
    request: Prepared,
    dialogue: DialogueSteps | undefined,
  ): Promise<Attempt> {
    const { settings, batch } = this.#run
    const own = connectedContext(this.#run.context, place, undefined)
    const localAddress = await interfaceFor(place, settings.interface, batch.transport.name, own)
    if (localAddress instanceof Failure) return { tried: false, stop: deferredBy(localAddress.message) }
    const key = hostRetryKey(
      place.name,
      request.retryByAddress ? place.address : undefined,
      place.port,
      request.lmtp ? 24 : 25,
      localAddress,
    )
    const standing = await hostStanding(this.#run.context, this.#run.environment.claim.message.envelope, {
      key,
      hostName: place.name,
      domain: domainOf(this.#run.first),
      force: this.#run.batch.force,
      tryAfterCutoff: !this.#run.settings.delay_after_cutoff,
    })
    if (standing.is !== 'usable') {
      dialogue?.notTried(standing)
      if (standing.is === 'expired') this.#ledger.expired++
      else {
        this.#ledger.waiting++
        this.#ledger.waitingUntil = Math.min(this.#ledger.waitingUntil ?? standing.until, standing.until)
      }
      return { tried: false }
    }
    this.#ledger.tellPassedOn(place)
    const waits = headersWait(this.#run.settings)
    const early = waits ? undefined : await this.#message.ready(place, request, own)
    if (early !== undefined && 'is' in early) return { tried: false, stop: early }
    const host = { address: place.address, name: place.name }
    const session: SessionOptions = {
      ...request.session,
      localAddress,
      heloAt: heloAt(this.#run.settings.helo_data, place, this.#run.context) ?? request.session.heloAt,
      dialogue,
      tls: request.lmtp
        ? undefined
        : await tlsWish(place, this.#run.settings, own, this.#run.environment.tls, this.#tlsUse),
      early: await earlyWish(place, this.#run.settings, own),
      avoidEsmtp: await hostListed(this.#run.settings.hosts_avoid_esmtp, host, own),
    }
    const poolKey = poolKeyOf(this.#run.batch.transport.name, place, session)
    const { handed } = this.#run.environment
    if (handed !== undefined && handed.poolKey !== poolKey) return { tried: false }
    let fresh = false
    for (;;) {
      const kept = fresh
        ? undefined
        : (this.#takeHanded() ?? (await this.#run.environment.pool.take(poolKey)))
      if (kept === 'busy') {
        this.#ledger.notNow(
          `all connections to ${place.name} [${place.address}] are in use, and none gets on`,
        )
        return { tried: true }
      }
      if (kept !== undefined && !(await this.#isOfSameIdentity(kept, place))) {
        if (handed !== undefined) {
          handed.connection = kept
          return { tried: false }
        }
        this.#run.environment.pool.drop(poolKey, kept)
        continue
      }
      const opened = kept ?? (await this.#open(place, session, key, poolKey, own))
      if (opened === undefined) {
        this.#run.environment.pool.failed(poolKey)
        this.#run.environment.pool.drop(poolKey)
        return { tried: true }
      }
      if (kept === undefined && opened.tls !== undefined)
        this.#run.context.ports.count?.('tls_sessions_total', 'out', opened.tls.version)
      if (kept !== undefined) {
        kept.client.watch = dialogue
        dialogue?.goesOn(kept.messages)
      }
      try {
        const ready = early ?? (await this.#message.ready(place, request, own, opened))
        if ('is' in ready) {
          opened.client.watch = undefined
          this.#passOn(poolKey, opened, place)
          return { tried: true, stop: ready }
        }
        const sent = this.#ledger.pending
        const result = await this.#message.send(opened, place, ready, this.#ledger.pending)
        // The server closed a kept connection just as we began: nothing was taken, so begin again on a new one.
        if (kept !== undefined && result.is !== 'done' && result.silent) {
          opened.client.destroy()
          opened.closed?.()
          fresh = true
          continue
        }
        this.#ledger.settle(result, place, key, opened)
        await this.#ledger.tellDeferredRecipients(result, sent, place)
        let reusable = result.is === 'done' && result.reusable && this.#mayCarryMore(opened)
        if (reusable) reusable = await this.#sendSurplus(result, sent, opened, place, ready, key)
        if (reusable && opened.tls !== undefined) reusable = !(await this.#endsWithTls(host, own))
        if (result.is === 'host') this.#run.environment.pool.failed(poolKey)
        // The next message has an explanation of its own.
        opened.client.watch = undefined
        if (reusable) this.#passOn(poolKey, opened, place)
        else this.#run.environment.pool.drop(poolKey, opened)
        return { tried: true }
      } catch (error) {
        // In the middle of a message perhaps, of which the server must not take what it has.
        opened.client.destroy()
        this.#run.environment.pool.drop(poolKey, opened)
        throw error
      }
    }
  }

  async #open(
    place: Place,
    session: SessionOptions,
    key: string,
    poolKey: string,
    own: Context,
  ): Promise<PooledConnection | undefined> {
    try {
      return await openConnection(this.#run, this.#ledger, place, session, key, own)
    } catch (error) {
      this.#run.environment.pool.drop(poolKey)
      throw error
    }
  }

  /** A server takes what comes over a connection for mail of who authenticated on it. */
  async #isOfSameIdentity(connection: PooledConnection, place: Place): Promise<boolean> {
    const { settings, context } = this.#run
    return (await identityAt(connection, place, settings, context)) === (connection.identity ?? '')
  }

  get #tlsUse(): TlsUse {
    return this.#run.environment.claim.message.envelope.extra?.['aboutTls'] === true ? 'report' : 'delivery'
  }

  /** The connection that this attempt is for; another transaction of the message, or one that is no more, opens its own. */
  #takeHanded(): PooledConnection | undefined {
    const { handed, pool } = this.#run.environment
    const connection = handed?.connection
    if (handed === undefined || connection === undefined) return undefined
    handed.connection = undefined
    if (connection.client.usable && !connection.client.unasked) return connection
    pool.drop(handed.poolKey, connection)
    return undefined
  }

  /** To the next message for this host: one that is known to wait for it, or one that comes soon. */
  #passOn(poolKey: string, connection: PooledConnection, place: Place): void {
    const { handed, deps, pool, claim } = this.#run.environment
    if (handed !== undefined && handed.connection === undefined) {
      handed.connection = connection
      return
    }
    const next = { transportName: this.#run.batch.transport.name, place, poolKey, connection }
    const { queueName = '' } = claim.message.envelope
    const { hints } = this.#run.context.ports
    if (handed === undefined && !pool.wanted(poolKey) && followOn(next, { deps, pool, hints, queueName }))
      return
    pool.give(poolKey, connection)
  }

  /**
   * Keeps the hints about waiting messages: those of host errors wait, those of an error of the message or of its
   * recipients do not. Source: Exim manual, "Errors in outgoing SMTP".
   */
  #noteWaiting(): void {
    const { batch, environment, context } = this.#run
    const { id, message } = environment.claim
    const { hosts, pending } = this.#ledger
    if (pending.length === 0) {
      if (!message.envelope.firstDelivery)
        forgetWaiting(context.ports.hints, batch.transport.name, this.#hostNames, id)
      return
    }
    // On a connection that was handed on, a host that was not asked says nothing.
    if (environment.handed !== undefined && hosts.length === 0) return
    if (hosts.some((host) => host.error === undefined || host.ofMessage)) return
    rememberWaiting(context.ports.hints, batch.transport.name, this.#hostNames, id)
  }

  #mayCarryMore(connection: PooledConnection): boolean {
    const most = this.#run.settings.connection_max_messages
    return most === 0 || connection.messages < most
  }

  /**
   * Recipients beyond what a server takes at once (452) follow in further transactions, as long as each delivers
   * something; false: the connection is used up. Source: RFC 5321 section 4.5.3.1.10.
   */
  async #sendSurplus(
    result: TransactionResult,
    sent: readonly RoutedAddress[],
    connection: PooledConnection,
    place: Place,
    request: Prepared,
    key: string,
  ): Promise<boolean> {
    const surplus = surplusOf(result, sent)
    if (surplus.length === 0) return true
    const others = this.#ledger.pending.filter((routed) => !surplus.includes(routed))
    this.#ledger.pending = surplus
    const next = await this.#message.send(connection, place, request, this.#ledger.pending)
    this.#ledger.settle(next, place, key, connection)
    await this.#ledger.tellDeferredRecipients(next, surplus, place)
    const reusable =
      next.is === 'done' &&
      next.reusable &&
      this.#mayCarryMore(connection) &&
      (await this.#sendSurplus(next, surplus, connection, place, request, key))
    this.#ledger.pending = [...others, ...this.#ledger.pending]
    return reusable
  }

  /** Hosts whose TLS connections are not kept for another message: `hosts_nopass_tls` and its older kin. */
  async #endsWithTls(
    host: { readonly address: string; readonly name: ByteString },
    own: Context,
  ): Promise<boolean> {
    const { hosts_nopass_tls, hosts_noproxy_tls } = this.#run.settings
    return (await hostListed(hosts_nopass_tls, host, own)) || hostListed(hosts_noproxy_tls, host, own)
  }
}

function samePlace(handed: HandedConnection['place'], place: Place): boolean {
  return handed.address === place.address && handed.port === place.port
}

/** Those of a transaction that were refused with 452 beside others that were delivered. */
function surplusOf(result: TransactionResult, sent: readonly RoutedAddress[]): readonly RoutedAddress[] {
  if (!result.verdicts.some((verdict) => verdict?.is === 'delivered')) return []
  return sent.filter((_, i) => {
    const verdict = result.verdicts[i]
    return (
      verdict?.is === 'deferred' &&
      verdict.error.errno === errorNumbers.rcpt4xx &&
      verdict.reply?.startsWith('452') === true
    )
  })
}
