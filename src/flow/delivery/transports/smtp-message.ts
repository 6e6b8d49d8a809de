/** The message of an smtp delivery as a host gets it: filtered, signed, and sent. */
import { Failure } from '../../../base/outcome.ts'
import { type ByteString, fromBytes, toBytes } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import type { RoutedAddress } from '../../routed.ts'
import { expandedInteger, hostListed } from '../expanding.ts'
import type { PooledConnection } from '../pool.ts'
import { type AddressOutcome, errorNumbers } from '../results.ts'
import { rcptAddress } from '../rcpt-address.ts'
import type { Place } from './smtp-hosts.ts'
import { connectedContext } from './smtp-connected.ts'
import { type Prepared, withHeaders, withOwnHead } from './smtp-prepare.ts'
import { signatures } from './smtp-sign.ts'
import { deferredBy } from './smtp-words.ts'
import { forServer } from './smtp-utf8.ts'
import { transaction, type TransactionRequest, type TransactionResult } from './smtp-transaction.ts'
import { messageOf } from '../local/content.ts'
import { filteredLimitBytes, filteredWhole, TransportFilterError } from '../local/transport-filter.ts'
import { transportFilterOf } from './transport-filter.ts'
import type { SmtpRun } from './smtp-ledger.ts'

export class SmtpMessage {
  readonly #run: SmtpRun
  /** Headers that go before a message, and the message and host they were made for. */
  #signature:
    | { readonly of: Prepared['transaction']; readonly place: string; readonly headers: ByteString }
    | undefined

  constructor(run: SmtpRun) {
    this.#run = run
  }

  /**
   * The message as this host gets it: filtered and signed.
   * @param own knows the host
   * @param connection where headers have to wait for it
   */
  async ready(
    place: Place,
    request: Prepared,
    own: Context,
    connection?: PooledConnection,
  ): Promise<Prepared | AddressOutcome> {
    const context = connection === undefined ? own : connectedContext(own, place, connection)
    const made = connection === undefined ? request : await withOwnHead(request, this.#run, context)
    if ('is' in made) return made
    const filtered = await this.#filtered(made, context)
    return 'is' in filtered ? filtered : this.#signed(filtered, place, context)
  }

  /** The message as `transport_filter` makes it, which may know the host. */
  async #filtered(request: Prepared, context: Context): Promise<Prepared | AddressOutcome> {
    const filter = await transportFilterOf(this.#run.batch, context, 'remote')
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

  /** The request with its signatures, which are made once a host may be tried: their options may name it. */
  async #signed(request: Prepared, place: Place, context: Context): Promise<Prepared | AddressOutcome> {
    const { transaction: outgoing } = request
    const where = `${place.name} ${place.address} ${place.port}`
    if (this.#signature?.of !== outgoing || this.#signature.place !== where) {
      const made = await signatures(outgoing, this.#run.settings, context, this.#arcState())
      if ('failure' in made) return deferredBy(made.failure)
      this.#signature = { of: outgoing, place: where, headers: made.headers }
    }
    const { headers } = this.#signature
    return headers === '' ? request : withHeaders(request, headers)
  }

  /** What `verify = arc` found when the message came in. */
  #arcState(): string | undefined {
    const state = this.#run.environment.claim.message.envelope.extra?.arc
    return typeof state === 'string' ? state : undefined
  }

  async send(
    connection: PooledConnection,
    place: Place,
    request: Prepared,
    pending: readonly RoutedAddress[],
  ): Promise<TransactionResult> {
    const { offers } = connection
    const host = { address: place.address, name: place.name }
    const { settings } = this.#run
    const own = connectedContext(this.#run.context, place, connection)
    const pipelining = offers.pipelining && !(await hostListed(settings.hosts_avoid_pipelining, host, own))
    const chunking = offers.chunking && (await hostListed(settings.hosts_try_chunking, host, own))
    const prdr = offers.prdr && (await hostListed(settings.hosts_try_prdr, host, own))
    const downconvert = await expandedInteger(this.#run.settings.utf8_downconvert, this.#run.context, -1)
    const whole: TransactionRequest = {
      ...request.transaction,
      recipients: pending.map((routed) => ({
        address: rcptAddress(routed, this.#run.settings),
        recipient: routed.recipient,
        ownReports: routed.router.settings.dsn_lasthop,
      })),
      pipelining,
      chunking,
      prdr,
      authSender:
        connection.authenticated !== undefined || this.#run.settings.authenticated_sender_force
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
    const result = await transaction(connection.client, offers, fitting)
    return result.is === 'done' ? { ...result, authSender: whole.authSender } : result
  }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}
