/** What became of the addresses and the hosts of one smtp delivery, while it goes on. */
import type { ByteString } from '../../../base/text.ts'
import type { TransportInstance } from '../../../language/config/configuration.ts'
import type { Context } from '../../../ports.ts'
import type { RouteHost, RoutedAddress } from '../../routed.ts'
import { domainOf } from '../group.ts'
import type { PooledConnection } from '../pool.ts'
import {
  type AddressOutcome,
  type DeliveryError,
  errorNumbers,
  type HostAt,
  type HostOutcome,
} from '../results.ts'
import { messageRetryKey, recipientRetryKey } from '../retry/record.ts'
import type { Batch, DeliveryEnvironment } from './driver.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'
import { authenticatorField, diagnostic, hostErrorLine, hostLine } from './smtp-words.ts'
import type { TransactionResult } from './smtp-transaction.ts'
import { errorSentence, eventErrno, raiseForConnection } from '../raise.ts'

/** What all steps of one delivery share. */
export interface SmtpRun {
  readonly batch: Batch
  readonly context: Context
  readonly environment: DeliveryEnvironment
  readonly settings: TransportInstance<SmtpSettings>['settings']
  /** A batch holds at least one address. */
  readonly first: RoutedAddress
}

/** Outcomes of addresses and hosts; what is `pending` goes to the next host. */
export class SmtpLedger {
  readonly #run: SmtpRun
  readonly hosts: HostOutcome[] = []
  readonly settled = new Map<RoutedAddress, AddressOutcome>()
  /** The last deferral of addresses that further hosts may still take. */
  readonly lastDeferral = new Map<RoutedAddress, AddressOutcome>()
  pending: readonly RoutedAddress[]
  /** Hosts whose retry time is not reached, and when that of the first is. */
  waiting = 0
  waitingUntil: number | undefined
  /** Hosts that have failed for too long. */
  expired = 0
  readonly #told = new Set<AddressOutcome>()

  constructor(run: SmtpRun) {
    this.#run = run
    this.pending = run.batch.addresses
  }

  /** What the address comes to when no more hosts are tried. */
  outcome(routed: RoutedAddress): AddressOutcome {
    return this.settled.get(routed) ?? this.lastDeferral.get(routed) ?? this.notTried(routed)
  }

  /** Takes over what became of the addresses that were sent to this place. */
  settle(result: TransactionResult, place: Place, key: string, connection: PooledConnection): void {
    const line = hostLine(place, connection)
    const sent = this.pending
    for (const [i, verdict] of result.verdicts.entries()) {
      const routed = sent[i]
      if (routed === undefined || verdict === undefined) continue
      this.settled.set(routed, this.addressOutcome(routed, verdict, result, line, place, connection))
    }
    this.pending = sent.filter((routed) => !this.settled.has(routed))
    if (result.is === 'done') {
      this.hosts.push(this.hostOutcome(place, key, undefined, false))
      this.retryDeferredElsewhere(sent)
      return
    }
    this.hostFailed(place, key, result.error, result.is === 'message', result.permanent)
    if (result.permanent) this.failPending(result.error, line, place, result.reply)
    else this.deferPending(result.error, line, diagnostic(place, result.reply))
  }

  /** Events of recipients that this host refused for now. */
  async tellDeferredRecipients(
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
        this.#run.context,
        eventErrno(error),
      )
    }
  }

  /** Once another host is tried: what the last one said of recipients that it did not take. */
  tellPassedOn(place: Place): void {
    for (const routed of this.pending) {
      const last = this.lastDeferral.get(routed)
      if (last?.is !== 'deferred' || last.error.errno !== errorNumbers.rcpt4xx) continue
      if (last.host === undefined || last.host.address === place.address || this.#told.has(last)) continue
      this.#told.add(last)
      const { name, address, port } = last.host
      // Behind a port stands no colon: so it was observed.
      const end = this.#run.context.ports.log.selects('outgoing_port', port) ? `:${port}` : ':'
      this.#run.context.ports.log.main(
        this.#run.environment.claim.id,
        `H=${name} [${address}]${end} ${last.error.message ?? ''}`,
      )
    }
  }

  /** Recipients that were refused for now may be taken by the next host. */
  retryDeferredElsewhere(sent: readonly RoutedAddress[]): void {
    const again: RoutedAddress[] = []
    for (const routed of sent) {
      const outcome = this.settled.get(routed)
      if (outcome?.is !== 'deferred') continue
      this.settled.delete(routed)
      this.lastDeferral.set(routed, outcome)
      again.push(routed)
    }
    this.pending = [...this.pending, ...again]
  }

  addressOutcome(
    routed: RoutedAddress,
    verdict: NonNullable<TransactionResult['verdicts'][number]>,
    result: TransactionResult,
    host: HostAt,
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
        authenticator: authenticatorField(connection, this.#loggedAuthSender(result)),
        dsnPassedOn: connection.offers.dsn && !routed.router.settings.dsn_lasthop,
      }
    }
    const told = { host, error: verdict.error, diagnostic: diagnostic(place, verdict.reply) }
    if (verdict.is === 'failed') return { is: 'failed', ...told }
    if (verdict.innocent === true) return { is: 'deferred', ...told }
    return { is: 'deferred', ...told, retryKey: this.recipientKey(routed, verdict.error) }
  }

  #loggedAuthSender(result: TransactionResult): ByteString | undefined {
    const { log } = this.#run.context.ports
    return result.is === 'done' && log.selects('smtp_mailauth') ? result.authSender : undefined
  }

  /**
   * For an explanation: what came of a host.
   * @param before how many hosts there were before it was tried
   */
  cameOf(place: Place, before: number): ByteString {
    const outcome = this.hosts.slice(before).findLast((host) => host.place === place)
    if (outcome?.error !== undefined) return outcome.error.message ?? outcome.error.errorText ?? 'failed'
    const took = [...this.settled.values()].some(
      (each) => each.is === 'delivered' && each.host?.address === place.address,
    )
    if (outcome !== undefined) return took ? 'took it' : 'took none of the addresses'
    const deferrals = [...this.lastDeferral.values()].flatMap((each) =>
      each.is === 'deferred' ? [each.error.message ?? ''] : [],
    )
    return deferrals.at(-1) ?? 'not tried'
  }

  recipientKey(routed: RoutedAddress, error: DeliveryError): string {
    const withSender = this.#run.settings.address_retry_include_sender && error.errno === errorNumbers.rcpt4xx
    return recipientRetryKey(
      routed.address.toLowerCase(),
      withSender ? this.#run.environment.claim.message.envelope.sender : undefined,
    )
  }

  hostFailed(
    place: Place,
    key: string,
    error: DeliveryError,
    ofMessage: boolean,
    permanent: boolean = false,
  ): void {
    const outcome = this.hostOutcome(place, key, error, ofMessage)
    this.hosts.push(permanent && ofMessage ? { ...outcome, untold: true } : outcome)
  }

  hostOutcome(place: Place, key: string, error: DeliveryError | undefined, ofMessage: boolean): HostOutcome {
    return {
      retryKey: ofMessage ? messageRetryKey(key, this.#run.environment.claim.id) : key,
      hostName: place.name,
      domain: domainOf(this.#run.first),
      error,
      ofMessage,
      place,
      line:
        error === undefined
          ? undefined
          : hostErrorLine(place, error, this.#run.context.ports.log.selects('outgoing_port', place.port)),
    }
  }

  failPending(
    error: DeliveryError,
    host: HostAt | undefined,
    place: Place,
    reply: ByteString | undefined,
  ): void {
    for (const routed of this.pending) {
      this.settled.set(routed, { is: 'failed', error, host, diagnostic: diagnostic(place, reply) })
    }
    this.pending = []
  }

  deferPending(
    error: DeliveryError,
    host: HostAt | undefined,
    told: ReturnType<typeof diagnostic> | undefined,
  ): void {
    for (const routed of this.pending) {
      this.lastDeferral.set(routed, { is: 'deferred', error, host, diagnostic: told })
    }
  }

  /** No host could be tried: their retry times are not reached, or all have failed for too long. */
  notTried(routed: RoutedAddress): AddressOutcome {
    const domain = routed.facts.domain
    if (this.#run.environment.handed !== undefined) {
      const error = { errno: errorNumbers.unknown, more: 0, message: 'goes to other hosts' }
      return { is: 'deferred', notTried: 'elsewhere', error }
    }
    if (this.waiting === 0 && this.expired > 0) {
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

  /** The action of an event does not want this host. */
  refusedByEvent(place: Place, key: string, error: DeliveryError): void {
    this.hostFailed(place, key, error, false)
    this.deferPending(error, undefined, diagnostic(place, undefined))
  }

  lookupFailed(host: RouteHost, why: 'again' | 'none'): void {
    const { context, environment, settings } = this.#run
    // Source: observed of Exim 4.96.
    if (why === 'none' && settings.gethostbyname)
      context.ports.log.main(environment.claim.id, `no IP address found for host ${host.name}`)
    const message = `failed to lookup IP address for ${host.name}`
    this.deferPending({ errno: errorNumbers.lookup, more: 0, message }, undefined, undefined)
  }

  /** The host is not tried, which says nothing about it: the next queue run looks again. */
  notNow(message: string): void {
    const error = { errno: errorNumbers.unknown, more: 0, message }
    for (const routed of this.pending)
      this.lastDeferral.set(routed, { is: 'deferred', notTried: true, error })
  }
}
