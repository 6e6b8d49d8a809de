/** The smtp transport: to other hosts over TCP, SMTP or LMTP. Source: Exim manual, "The smtp transport". */
import { Failure } from '../../../base/outcome.ts'
import { type ByteString, fromBytes, toBytes } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { HostLine } from '../../../mail/delivery-lines.ts'
import type { Context } from '../../../ports.ts'
import type { RouteHost, RoutedAddress } from '../../routed.ts'
import { expandedBoolean, expandedBytes, expandedInteger, hostListed } from '../expanding.ts'
import { domainOf, type BatchLimits } from '../group.ts'
import type { PooledConnection } from '../pool.ts'
import {
  type AddressOutcome,
  type DeliveryError,
  errorNumbers,
  type HostOutcome,
  type TransportResult,
} from '../results.ts'
import { rcptAddress } from '../rcpt-address.ts'
import { hostRetryKey, messageRetryKey, recipientRetryKey } from '../retry/record.ts'
import { takePlace } from '../shared-places.ts'
import { hostStanding } from '../retry/standing.ts'
import type { Batch, DeliveryEnvironment, TransportDriver } from './driver.ts'
import { earlyWish } from './smtp-early.ts'
import { hostsOfOption, type Place, placesOf } from './smtp-hosts.ts'
import { smtpOptions, type SmtpSettings } from './smtp.options.ts'
import { type Prepared, prepare, withHeaders } from './smtp-prepare.ts'
import { signatures } from './smtp-sign.ts'
import { authenticatorField, deferredBy, diagnostic, hostErrorLine, hostLine } from './smtp-words.ts'
import { authenticate } from './smtp-auth.ts'
import { openSession, type SessionOptions } from './smtp-session.ts'
import { reportedSession } from './smtp-report.ts'
import { tlsWish, type TlsWish } from './smtp-tls.ts'
import { forServer } from './smtp-utf8.ts'
import { transaction, type TransactionRequest, type TransactionResult } from './smtp-transaction.ts'
import { addressContext, errorSentence, eventErrno, raiseForConnection } from '../raise.ts'
import { countTlsSession } from '../tls-reports.ts'
import { messageOf } from '../local/content.ts'
import { filteredLimitBytes, filteredWhole, TransportFilterError } from '../local/transport-filter.ts'
import { refuseAll, sharedOutcome } from './shared.ts'
import { transportFilterOf } from './transport-filter.ts'

export const smtp: TransportDriver = {
  name: 'smtp',
  doc: 'Sends messages to other hosts over TCP, by SMTP or LMTP.',
  options: smtpOptions,
  local: false,
  check(instance, report) {
    const { protocol } = settingsOf(instance)
    if (protocol !== 'smtp' && protocol !== 'lmtp' && protocol !== 'smtps') {
      report({
        code: 'smtp-protocol',
        severity: 'error',
        message: `invalid setting for protocol option for the ${instance.name} transport: "${protocol}"`,
        at: instance.setAt.get('protocol') ?? instance.at,
        help: 'one of smtp, smtps and lmtp',
        fatal: true,
      })
    }
  },
  async limits(routed, context): Promise<BatchLimits> {
    const settings = settingsOf(routed.transport)
    const most = await expandedInteger(settings.max_rcpt, context, 100)
    const multiDomain = await expandedBoolean(settings.multi_domain, context, true)
    return {
      most: most instanceof Failure ? 1 : most,
      multiDomain: multiDomain instanceof Failure ? false : multiDomain,
    }
  },
  run: (batch, context, environment) => new SmtpDelivery(batch, context, environment).run(),
}

/** The driver of the instance is smtp, so its settings were read through the table of smtp. */
function settingsOf(instance: TransportInstance): TransportInstance<SmtpSettings>['settings'] {
  return (instance as TransportInstance<SmtpSettings>).settings
}

/** What one attempt at a place came to, beside the outcomes it settled. */
type Attempt = {
  readonly tried: boolean
  /** Ends all attempts: the message cannot be sent as it must be. */
  readonly stop?: AddressOutcome
}

class SmtpDelivery {
  readonly #batch: Batch
  readonly #context: Context
  readonly #environment: DeliveryEnvironment
  readonly #settings: TransportInstance<SmtpSettings>['settings']
  readonly #hosts: HostOutcome[] = []
  readonly #settled = new Map<RoutedAddress, AddressOutcome>()
  /** The last deferral of addresses that further hosts may still take. */
  readonly #lastDeferral = new Map<RoutedAddress, AddressOutcome>()
  #pending: readonly RoutedAddress[]
  /** Headers that go before a message, and the message they were made for: a filter may make another for each host. */
  #signature: { readonly of: Prepared['transaction']; readonly headers: ByteString } | undefined
  #waiting = 0
  #waitingUntil: number | undefined
  #expired = 0
  #tries = 0
  #looked = 0
  #hostsLeft = false
  readonly #told = new Set<AddressOutcome>()

  constructor(batch: Batch, context: Context, environment: DeliveryEnvironment) {
    this.#batch = batch
    this.#context = context
    this.#environment = environment
    this.#settings = settingsOf(batch.transport)
    this.#pending = batch.addresses
  }

  async run(): Promise<TransportResult> {
    const startedAt = this.#context.ports.now()
    const problem = await this.#deliver()
    const deliveryMs = this.#context.ports.now() - startedAt
    if (problem !== undefined) return refuseAll(this.#batch.addresses, problem, deliveryMs, this.#hosts)
    return {
      addresses: this.#batch.addresses.map((routed) => ({
        routed,
        outcome: this.#settled.get(routed) ?? this.#lastDeferral.get(routed) ?? this.#notTried(routed),
        deliveryMs,
      })),
      hosts: this.#hosts,
      passedOverUntil: this.#waitingUntil,
      hostsLeft: this.#hostsLeft,
    }
  }

  /** Tries hosts in order until all addresses are settled; gives what stops all of it. */
  async #deliver(): Promise<AddressOutcome | undefined> {
    const common = await sharedOutcome(this.#batch, this.#context)
    if (common !== undefined) return common
    const longest = this.#settings.message_linelength_limit
    if (longest > 0 && this.#environment.claim.message.envelope.maxReceivedLineLength > longest) {
      return {
        is: 'failed',
        error: { errno: errorNumbers.unknown, more: 0, message: 'message has lines too long for transport' },
      }
    }
    const request = await prepare(this.#batch, this.#settings, this.#context, this.#environment)
    if ('is' in request) return request
    const hosts = await this.#hostList()
    if ('is' in hosts) return hosts
    const problem = await this.#tryHosts(hosts, request)
    if (problem !== undefined || this.#pending.length === 0) return problem
    const fallback = await this.#fallbackHosts()
    if ('is' in fallback) return fallback
    return fallback.length === 0 ? undefined : this.#tryHosts(fallback, request)
  }

  async #hostList(): Promise<readonly RouteHost[] | AddressOutcome> {
    const routed = this.#first()
    const settings = this.#settings
    const own = settings.hosts !== undefined && (settings.hosts_override || routed.hosts.length === 0)
    if (!own) {
      return routed.hosts.length > 0
        ? routed.hosts
        : deferredBy(`${this.#batch.transport.name} transport called with no hosts set`)
    }
    const hosts = await hostsOfOption(settings.hosts, settings.hosts_randomize, this.#context)
    if (hosts instanceof Failure) {
      return deferredBy(
        `failed to expand list of hosts "${settings.hosts?.text ?? ''}" in ${this.#batch.transport.name} transport: ${hosts.message}`,
      )
    }
    return hosts
  }

  async #fallbackHosts(): Promise<readonly RouteHost[] | AddressOutcome> {
    const routed = this.#first()
    if (routed.fallbackHosts.length > 0) return routed.fallbackHosts
    const hosts = await hostsOfOption(this.#settings.fallback_hosts, undefined, this.#context)
    return hosts instanceof Failure ? deferredBy(hosts.message) : hosts
  }

  #first(): RoutedAddress {
    // A batch holds at least one address.
    return this.#batch.addresses[0] as RoutedAddress
  }

  async #tryHosts(hosts: readonly RouteHost[], request: Prepared): Promise<AddressOutcome | undefined> {
    const port = await this.#port(request.lmtp)
    if (typeof port !== 'number') return port
    for (const host of hosts) {
      if (this.#pending.length === 0) break
      if (this.#enough()) {
        this.#hostsLeft = true
        break
      }
      const places = await placesOf(host, port, this.#context, this.#settings)
      if (places === 'insecure') {
        return deferredBy(`host lookup for "${host.name}" done insecurely`)
      }
      if (places === 'again' || places === 'none') {
        this.#lookupFailed(host, places)
        continue
      }
      for (const place of places) {
        if (this.#pending.length === 0) break
        if (this.#enough()) {
          this.#hostsLeft = true
          break
        }
        this.#looked++
        if (!this.#allowed(place)) {
          return deferredBy(`${this.#batch.transport.name} transport found host ${place.name} to be local`)
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
      this.#tries >= this.#settings.hosts_max_try || this.#looked >= this.#settings.hosts_max_try_hardlimit
    )
  }

  /** A message sent to ourselves would come back; routers have looked at the hosts they gave. */
  #allowed(place: Place): boolean {
    if (this.#settings.allow_localhost || this.#first().hosts.length > 0) return true
    return !this.#context.server.localInterfaces().includes(place.address)
  }

  async #port(lmtp: boolean): Promise<number | AddressOutcome> {
    const text = await expandedBytes(this.#settings.port, this.#context)
    if (text instanceof Failure) {
      return deferredBy(`failed to expand port in ${this.#batch.transport.name} transport: ${text.message}`)
    }
    if (text === undefined || text === '') {
      return lmtp ? 24 : this.#settings.protocol === 'smtps' ? 465 : 25
    }
    const named = { smtp: 25, lmtp: 24, smtps: 465, submission: 587, submissions: 465 }[text.trim()]
    const port = named ?? Number(text)
    return Number.isInteger(port) && port > 0 && port < 65_536
      ? port
      : deferredBy(`invalid port in ${this.#batch.transport.name} transport: ${text}`)
  }

  #lookupFailed(host: RouteHost, why: 'again' | 'none'): void {
    const message =
      why === 'again'
        ? `failed to lookup IP address for ${host.name}`
        : `no IP address found for host ${host.name}`
    this.#deferPending({ errno: errorNumbers.unknown, more: 0, message }, undefined, undefined)
  }

  async #tryPlace(place: Place, request: Prepared): Promise<Attempt> {
    const key = hostRetryKey(
      place.name,
      request.retryByAddress ? place.address : undefined,
      place.port,
      request.lmtp ? 24 : 25,
    )
    const standing = await hostStanding(this.#context, this.#environment.claim.message.envelope, {
      key,
      hostName: place.name,
      domain: domainOf(this.#first()),
      force: this.#batch.force,
      tryAfterCutoff: !this.#settings.delay_after_cutoff,
    })
    if (standing.is !== 'usable') {
      if (standing.is === 'expired') this.#expired++
      else {
        this.#waiting++
        this.#waitingUntil = Math.min(this.#waitingUntil ?? standing.until, standing.until)
      }
      return { tried: false }
    }
    this.#tellPassedOn(place)
    const filtered = await this.#filtered(place, request)
    if ('is' in filtered) return { tried: false, stop: filtered }
    const signed = await this.#signed(filtered)
    if ('is' in signed) return { tried: false, stop: signed }
    const host = { address: place.address, name: place.name }
    const session: SessionOptions = {
      ...request.session,
      ...(this.#context.debug === undefined
        ? {}
        : { trace: (line) => this.#context.debug?.('transport|acl|v', line) }),
      tls: request.lmtp
        ? undefined
        : await tlsWish(place, this.#settings, this.#context, this.#environment.tls),
      early: await earlyWish(place, this.#settings, this.#context),
      avoidEsmtp: await hostListed(this.#settings.hosts_avoid_esmtp, host, this.#context),
    }
    const poolKey = `${this.#batch.transport.name} ${place.name} ${place.address} ${place.port} ${session.localAddress ?? ''} ${session.helo} ${session.tls?.policyKey ?? ''}`
    let fresh = false
    for (;;) {
      const kept = fresh ? undefined : await this.#environment.pool.take(poolKey)
      if (kept === 'busy') {
        this.#notNow(`all connections to ${place.name} [${place.address}] are in use, and none gets on`)
        return { tried: true }
      }
      const opened = kept ?? (await this.#open(place, session, key))
      if (opened === undefined) {
        this.#environment.pool.failed(poolKey)
        this.#environment.pool.drop(poolKey)
        return { tried: true }
      }
      if (kept === undefined && opened.tls !== undefined)
        this.#context.ports.count?.('tls_sessions_total', 'out', opened.tls.version)
      const sent = this.#pending
      const result = await this.#send(opened, place, signed)
      // The server closed a kept connection just as we began: nothing was said, so begin again on a new one.
      if (kept !== undefined && result.is === 'host' && result.silent) {
        opened.client.destroy()
        opened.closed?.()
        fresh = true
        continue
      }
      this.#settle(result, place, key, opened)
      await this.#tellDeferredRecipients(result, sent, place)
      let reusable = result.is === 'done' && result.reusable && this.#mayCarryMore(opened)
      if (reusable) reusable = await this.#sendSurplus(result, sent, opened, place, signed, key)
      if (reusable && opened.tls !== undefined) reusable = !(await this.#endsWithTls(host))
      if (result.is === 'host') this.#environment.pool.failed(poolKey)
      if (reusable) this.#environment.pool.give(poolKey, opened)
      else this.#environment.pool.drop(poolKey, opened)
      return { tried: true }
    }
  }

  #mayCarryMore(connection: PooledConnection): boolean {
    const most = this.#settings.connection_max_messages
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
    const others = this.#pending.filter((routed) => !surplus.includes(routed))
    this.#pending = surplus
    const next = await this.#send(connection, place, request)
    this.#settle(next, place, key, connection)
    await this.#tellDeferredRecipients(next, surplus, place)
    const reusable =
      next.is === 'done' &&
      next.reusable &&
      this.#mayCarryMore(connection) &&
      (await this.#sendSurplus(next, surplus, connection, place, request, key))
    this.#pending = [...others, ...this.#pending]
    return reusable
  }

  /** What `verify = arc` found when the message came in. */
  #arcState(): string | undefined {
    const state = this.#environment.claim.message.envelope.extra?.arc
    return typeof state === 'string' ? state : undefined
  }

  /** The request with its signatures, which are made once a host may be tried. */
  async #signed(request: Prepared): Promise<Prepared | AddressOutcome> {
    if (this.#signature?.of !== request.transaction) {
      const { transaction: outgoing } = request
      const made = await signatures(outgoing, this.#settings, this.#context, this.#arcState())
      if ('failure' in made) return deferredBy(made.failure)
      this.#signature = { of: outgoing, headers: made.headers }
    }
    const { headers } = this.#signature
    return headers === '' ? request : withHeaders(request, headers)
  }

  /** Hosts whose TLS connections are not kept for another message: `hosts_nopass_tls` and its older kin. */
  async #endsWithTls(host: { readonly address: string; readonly name: ByteString }): Promise<boolean> {
    const { hosts_nopass_tls, hosts_noproxy_tls } = this.#settings
    return (
      (await hostListed(hosts_nopass_tls, host, this.#context)) ||
      (await hostListed(hosts_noproxy_tls, host, this.#context))
    )
  }

  async #open(place: Place, session: SessionOptions, key: string): Promise<PooledConnection | undefined> {
    const routed = this.#first()
    const alone = await this.#alone(place)
    if (alone === 'taken') return undefined
    const refusal = await raiseForConnection('tcp:connect', '', routed, place, this.#context)
    if (refusal !== undefined) {
      alone?.()
      this.#refusedByEvent(place, key, {
        errno: errorNumbers.eventRefused,
        more: 0,
        errorText: 'Event requests alternate response',
        message: undefined,
      })
      return undefined
    }
    const closed = (): void => {
      alone?.()
      void raiseForConnection('tcp:close', '', routed, place, this.#context)
    }
    if (session.tls !== undefined && this.#batch.transport.settings.event_action !== undefined) {
      session.tls.certificate = (depth, peerCertificate, facts) => {
        const context = addressContext(this.#context, routed, place)
        const delivery = context.delivery && { ...context.delivery, tls: { ...facts, peerCertificate } }
        return refusalOf(this.#context.ports.raise('tls:cert', String(depth), { ...context, delivery }))
      }
    }
    const opened = await openSession(place, session)
    await this.#tellOfTls(
      session.tls,
      place,
      opened.is === 'open' ? opened.connection.localAddress : undefined,
    )
    if (opened.is === 'open') {
      const connection = { ...opened.connection, closed }
      const unwanted = await raiseForConnection('smtp:connect', opened.banner, routed, place, this.#context)
      if (unwanted === undefined) {
        await raiseForConnection('smtp:ehlo', opened.ehlo, routed, place, this.#context)
        return this.#authenticated(connection, place, key)
      }
      connection.client.quit()
      closed()
      this.#refusedByEvent(place, key, {
        errno: errorNumbers.eventDeferred,
        more: 0,
        message: `deferred by smtp:connect event expansion: ${unwanted}`,
      })
      return undefined
    }
    if (opened.connected === true) closed()
    else alone?.()
    const host = hostLine(place, undefined)
    const used = opened.error.message === undefined ? undefined : host
    this.#hostFailed(place, key, opened.error, false)
    if (opened.permanent) this.#failPending(opened.error, used, place, opened.reply)
    else this.#deferPending(opened.error, used, diagnostic(place, opened.reply))
    return undefined
  }

  /** Source: Exim manual, "serialize_hosts": one connection at a time; gives what ends the turn. */
  async #alone(place: Place): Promise<(() => void) | 'taken' | undefined> {
    const host = { address: place.address, name: place.name }
    if (!(await hostListed(this.#settings.serialize_hosts, host, this.#context))) return undefined
    const turn = await takePlace(this.#context.ports.hints, `host-serialize-${place.name}`, 1)
    if (turn !== undefined) return turn
    this.#notNow(
      `another connection to ${place.name} [${place.address}] is open, and serialize_hosts allows one`,
    )
    return 'taken'
  }

  /** The host is not tried, which says nothing about it: the next queue run looks again. */
  #notNow(message: string): void {
    const error = { errno: errorNumbers.unknown, more: 0, message }
    for (const routed of this.#pending)
      this.#lastDeferral.set(routed, { is: 'deferred', notTried: true, error })
  }

  /** The action of an event does not want this host. */
  #refusedByEvent(place: Place, key: string, error: DeliveryError): void {
    this.#hostFailed(place, key, error, false)
    this.#deferPending(error, undefined, diagnostic(place, undefined))
  }

  /** What became of TLS: a line where the message goes in clear after all, and a count for reports. */
  async #tellOfTls(wish: TlsWish | undefined, place: Place, sendingIp: string | undefined): Promise<void> {
    if (wish === undefined) return
    const { end, failure } = wish.seen
    if (end === 'failed') this.#context.ports.count?.('tls_failures_total', 'out')
    if (end === 'clear' && failure !== undefined && failure.result !== 'starttls-not-supported') {
      this.#context.ports.log.main(
        this.#environment.claim.id,
        `TLS session failure: delivering unencrypted to H=${place.name} [${place.address}] (not in hosts_require_tls): ${failure.why}`,
        { event: 'tls:clear', host: place.name, why: failure.why },
      )
    }
    // Of the result types of RFC 8460 section 4.3: Exim manual, "DANE".
    if (wish.dane.is !== 'none' && end === 'failed' && failure !== undefined) {
      await raiseForConnection('dane:fail', failure.result, this.#first(), place, this.#context)
    }
    if (!this.#settings.tls_rpt || end === undefined) return
    const domain = domainOf(this.#first())
    const session = reportedSession(wish, domain, place, sendingIp)
    if (session !== undefined)
      await countTlsSession(this.#context.ports.hints, session, this.#context.ports.now())
  }

  /** The connection after authentication, where that is wanted; undefined: not to be used. */
  async #authenticated(
    connection: PooledConnection,
    place: Place,
    key: string,
  ): Promise<PooledConnection | undefined> {
    const outcome = await authenticate(connection, {
      place,
      settings: this.#settings,
      context: this.#context,
      id: this.#environment.claim.id,
      mark: place.mx ? 77 : 65,
    })
    if (outcome.is === 'none') return connection
    if (outcome.is === 'authenticated') return { ...connection, authenticated: outcome.as }
    connection.client.quit()
    connection.closed?.()
    const { error, atHost } = outcome
    const failed = this.#hostOutcome(place, key, error, false)
    this.#hosts.push(atHost ? failed : { ...failed, line: undefined })
    this.#deferPending(
      error,
      atHost ? hostLine(place, connection) : undefined,
      diagnostic(place, outcome.reply),
    )
    return undefined
  }

  /** The message as `transport_filter` makes it, which may know the host. */
  async #filtered(place: Place, request: Prepared): Promise<Prepared | AddressOutcome> {
    const context: Context = {
      ...this.#context,
      delivery: {
        routerName: '',
        transportName: this.#batch.transport.name,
        ...this.#context.delivery,
        host: place.name,
        hostAddress: place.address,
        hostPort: place.port,
      },
    }
    const filter = await transportFilterOf(this.#batch, context)
    if (filter === undefined) return request
    if ('outcome' in filter) return filter.outcome
    const { body } = request.transaction
    try {
      const source = messageOf(request.transaction, body instanceof Uint8Array ? once(body) : body())
      const whole = fromBytes(await filteredWhole(filter, source, filteredLimitBytes))
      // Headers and body apart again, for signatures.
      const end = whole.startsWith('\n') ? 0 : whole.indexOf('\n\n') + 1
      const head = end === 0 && !whole.startsWith('\n') ? whole : whole.slice(0, end + 1)
      return {
        ...request,
        transaction: { ...request.transaction, head, body: toBytes(whole.slice(head.length)) },
      }
    } catch (error) {
      if (!(error instanceof TransportFilterError)) throw error
      return { is: 'deferred', error: { errno: error.errno, more: 0, message: error.message } }
    }
  }

  async #send(connection: PooledConnection, place: Place, request: Prepared): Promise<TransactionResult> {
    const { offers } = connection
    const host = { address: place.address, name: place.name }
    const pipelining =
      offers.pipelining && !(await hostListed(this.#settings.hosts_avoid_pipelining, host, this.#context))
    const chunking =
      offers.chunking && (await hostListed(this.#settings.hosts_try_chunking, host, this.#context))
    const prdr = offers.prdr && (await hostListed(this.#settings.hosts_try_prdr, host, this.#context))
    const downconvert = await expandedInteger(this.#settings.utf8_downconvert, this.#context, -1)
    const whole: TransactionRequest = {
      ...request.transaction,
      recipients: this.#pending.map((routed) => ({
        address: rcptAddress(routed, this.#settings),
        recipient: routed.recipient,
      })),
      pipelining,
      chunking,
      prdr,
      authSender:
        connection.authenticated !== undefined || this.#settings.authenticated_sender_force
          ? request.transaction.authSender
          : undefined,
      mark: place.mx ? 77 : 65,
    }
    const fitting = forServer(whole, offers, downconvert instanceof Failure ? -1 : downconvert)
    if ('is' in fitting) {
      const error = { errno: errorNumbers.unknown, more: 0, message: fitting.message }
      return { is: 'message', error, permanent: true, reply: undefined, verdicts: [], silent: false }
    }
    connection.messages++
    return transaction(connection.client, offers, fitting)
  }

  /** Takes over what became of the addresses that were sent to this place. */
  #settle(result: TransactionResult, place: Place, key: string, connection: PooledConnection): void {
    const line = hostLine(place, connection)
    const sent = this.#pending
    for (const [i, verdict] of result.verdicts.entries()) {
      const routed = sent[i]
      if (routed === undefined || verdict === undefined) continue
      this.#settled.set(routed, this.#addressOutcome(routed, verdict, result, line, place, connection))
    }
    this.#pending = sent.filter((routed) => !this.#settled.has(routed))
    if (result.is === 'done') {
      this.#hosts.push(this.#hostOutcome(place, key, undefined, false))
      this.#retryDeferredElsewhere(sent)
      return
    }
    this.#hostFailed(place, key, result.error, result.is === 'message', result.permanent)
    if (result.permanent) this.#failPending(result.error, line, place, result.reply)
    else this.#deferPending(result.error, line, diagnostic(place, result.reply))
  }

  /** Events of recipients that this host refused for now. */
  async #tellDeferredRecipients(
    result: TransactionResult,
    sent: readonly RoutedAddress[],
    place: Place,
  ): Promise<void> {
    for (const [i, verdict] of result.verdicts.entries()) {
      const routed = sent[i]
      if (routed === undefined || verdict?.is !== 'deferred') continue
      const { error } = verdict
      await raiseForConnection(
        'msg:rcpt:host:defer',
        errorSentence(error),
        routed,
        place,
        this.#context,
        eventErrno(error),
      )
    }
  }

  /** Once another host is tried: what the last one said of recipients that it did not take. */
  #tellPassedOn(place: Place): void {
    for (const routed of this.#pending) {
      const last = this.#lastDeferral.get(routed)
      if (last?.is !== 'deferred' || last.error.errno !== errorNumbers.rcpt4xx) continue
      if (last.host === undefined || last.host.address === place.address || this.#told.has(last)) continue
      this.#told.add(last)
      const { name, address, port } = last.host
      const withPort = this.#context.ports.log.selects('outgoing_port') ? `:${port}` : ''
      this.#context.ports.log.main(
        this.#environment.claim.id,
        `H=${name} [${address}]${withPort} ${last.error.message ?? ''}`,
      )
    }
  }

  /** Recipients that were refused for now may be taken by the next host. */
  #retryDeferredElsewhere(sent: readonly RoutedAddress[]): void {
    const again: RoutedAddress[] = []
    for (const routed of sent) {
      const outcome = this.#settled.get(routed)
      if (outcome?.is !== 'deferred') continue
      this.#settled.delete(routed)
      this.#lastDeferral.set(routed, outcome)
      again.push(routed)
    }
    this.#pending = [...this.#pending, ...again]
  }

  #addressOutcome(
    routed: RoutedAddress,
    verdict: NonNullable<TransactionResult['verdicts'][number]>,
    result: TransactionResult,
    host: HostLine,
    place: Place,
    connection: PooledConnection,
  ): AddressOutcome {
    if (verdict.is === 'delivered') {
      return {
        is: 'delivered',
        sizeBytes: result.is === 'done' ? result.wireBytes : 0,
        host,
        confirmation: verdict.confirmation,
        pipelined: connection.offers.pipelining,
        early: connection.early === true && connection.messages === 1,
        chunked: result.is === 'done' && result.chunked,
        prdr: result.is === 'done' && result.prdr === true,
        authenticator: authenticatorField(connection),
        dsnPassedOn: connection.offers.dsn,
      }
    }
    const told = { host, error: verdict.error, diagnostic: diagnostic(place, verdict.reply) }
    if (verdict.is === 'failed') return { is: 'failed', ...told }
    if (verdict.innocent === true) return { is: 'deferred', ...told }
    return { is: 'deferred', ...told, retryKey: this.#recipientKey(routed, verdict.error) }
  }

  #recipientKey(routed: RoutedAddress, error: DeliveryError): string {
    const withSender = this.#settings.address_retry_include_sender && error.errno === errorNumbers.rcpt4xx
    return recipientRetryKey(
      routed.address.toLowerCase(),
      withSender ? this.#environment.claim.message.envelope.sender : undefined,
    )
  }

  #hostFailed(
    place: Place,
    key: string,
    error: DeliveryError,
    ofMessage: boolean,
    permanent: boolean = false,
  ): void {
    const outcome = this.#hostOutcome(place, key, error, ofMessage)
    this.#hosts.push(permanent && ofMessage ? { ...outcome, untold: true } : outcome)
  }

  #hostOutcome(place: Place, key: string, error: DeliveryError | undefined, ofMessage: boolean): HostOutcome {
    return {
      retryKey: ofMessage ? messageRetryKey(key, this.#environment.claim.id) : key,
      hostName: place.name,
      domain: domainOf(this.#first()),
      error,
      ofMessage,
      place,
      line:
        error === undefined
          ? undefined
          : hostErrorLine(place, error, this.#context.ports.log.selects('outgoing_port')),
    }
  }

  #failPending(
    error: DeliveryError,
    host: HostLine | undefined,
    place: Place,
    reply: ByteString | undefined,
  ): void {
    for (const routed of this.#pending) {
      this.#settled.set(routed, { is: 'failed', error, host, diagnostic: diagnostic(place, reply) })
    }
    this.#pending = []
  }

  #deferPending(
    error: DeliveryError,
    host: HostLine | undefined,
    told: ReturnType<typeof diagnostic> | undefined,
  ): void {
    for (const routed of this.#pending) {
      this.#lastDeferral.set(routed, { is: 'deferred', error, host, diagnostic: told })
    }
  }

  /** No host could be tried: their retry times are not reached, or all have failed for too long. */
  #notTried(routed: RoutedAddress): AddressOutcome {
    const domain = routed.facts.domain
    if (this.#waiting === 0 && this.#expired > 0) {
      return {
        is: 'failed',
        error: {
          errno: errorNumbers.hostRetryTime,
          more: 0,
          message: 'retry time not reached for any host after a long failure period',
        },
      }
    }
    return {
      is: 'deferred',
      notTried: true,
      error: {
        errno: errorNumbers.hostRetryTime,
        more: 0,
        message: `retry time not reached for any host for '${domain}'`,
      },
    }
  }
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

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

async function refusalOf(raised: ByteString | Promise<ByteString>): Promise<ByteString | undefined> {
  const value = await raised
  return value === '' ? undefined : value
}
