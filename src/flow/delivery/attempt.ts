/** State of one delivery attempt of one message, shared by its steps. */
import type { ByteString } from '../../base/text.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { Context } from '../../ports.ts'
import type { Claim } from '../../store/spool/api.ts'
import type { OneTime, RoutedAddress } from '../routed.ts'
import type { DeliveryDeps } from './deps.ts'
import type { HandedConnection } from './follow.ts'
import { Marks } from './marks.ts'
import type { TlsClientRoom } from './transports/smtp-tls.ts'
import type { ConnectionPool } from './pool.ts'
import type { UniqueClock } from './unique-clock.ts'
import type { DeliveryError, RemoteDiagnostic } from './results.ts'
import { logTime } from '../../mail/log-time.ts'

export interface DeliveryOptions {
  /** Retry times do not count (`-qf`, `-M`). */
  readonly force?: boolean
  /** A frozen message is thawed first (`-M`, `-qff`). */
  readonly thaw?: boolean
  /** In a queue run: retry times of addresses count. */
  readonly queueRun?: boolean
  /** The run looks at messages before it takes them up: `-R`, `-S`, `-qi`. */
  readonly chosen?: boolean
  /** `-N`: everything but the delivery itself. */
  readonly pretend?: boolean
  /** A first run of two (`-qq`) or `-ql`: what goes to other hosts is left for later. */
  readonly localOnly?: boolean
  /** What goes to other hosts is routed and left for a queue run: by `-odqs`, or by a control of an ACL. */
  readonly later?: 'all' | undefined
  /** Only what goes to the host of this connection is sent, down it. */
  readonly handed?: HandedConnection | undefined
  /** `-Mg`: what is left fails now. */
  readonly giveUp?: boolean
}

/** An address that is given up. */
export interface FailedAddress {
  readonly address: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
  readonly key: ByteString
  readonly errorsTo: ByteString | undefined
  readonly message: ByteString
  readonly diagnostic: RemoteDiagnostic | undefined
  readonly returnedOutput: ByteString | undefined
  readonly hidden: boolean
  /** `noerror` of a filter: no report. */
  readonly ignoreErrors: boolean
  /** The last retry rule's cutoff has passed; undefined: it is a failure of its own. */
  readonly timedOut?: true
}

/** An address that is tried again later. */
export interface DeferredAddress {
  readonly address: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
  readonly key: ByteString
  readonly error: DeliveryError
  /** What a warning says of the error; undefined: nothing, as it is a matter of this host. */
  readonly told: ByteString | undefined
  readonly hidden: boolean
  readonly diagnostic: RemoteDiagnostic | undefined
  readonly nextTryAt: number | undefined
  readonly freeze: boolean
  readonly errorsTo: ByteString | undefined
  readonly oneTime?: OneTime | undefined
  /** Not looked at in this attempt: what was known of the next one stays. */
  readonly untouched?: true
}

/** A delivery that the sender wants to hear of. */
export interface ReportedSuccess {
  readonly routed: RoutedAddress
  readonly remote: { readonly host: ByteString; readonly reply: ByteString | undefined } | undefined
}

/** What all deliveries of a process share. */
export interface SharedState {
  readonly pool: ConnectionPool
  readonly clock: UniqueClock
  readonly tls: TlsClientRoom
}

export class Attempt {
  readonly claim: Claim
  readonly deps: DeliveryDeps
  readonly shared: SharedState
  readonly context: Context
  readonly options: DeliveryOptions
  readonly marks: Marks
  readonly startedAt: number
  readonly failed: FailedAddress[] = []
  readonly deferred: DeferredAddress[] = []
  readonly successes: ReportedSuccess[] = []
  delivered = 0
  freezeWanted: ByteString | undefined
  /** What the log says of freezing, where it has been said already. */
  freezeTold = false
  /** The system filter has put others in the place of the recipients. */
  originalsIgnored = false
  /** Lines for the message log; it dies with the message, so they are written only if it stays. */
  readonly #messageLog: ByteString[] = []

  constructor(
    claim: Claim,
    deps: DeliveryDeps,
    shared: SharedState,
    context: Context,
    options: DeliveryOptions,
  ) {
    this.claim = claim
    this.deps = deps
    this.shared = shared
    this.context = context
    this.options = options
    this.marks = new Marks(claim.message.envelope)
    this.startedAt = context.ports.now()
  }

  get envelope(): Claim['message']['envelope'] {
    return this.claim.message.envelope
  }

  selects = (selector: string, port?: number): boolean => this.context.ports.log.selects(selector, port)

  /** A line of the main log. */
  log(text: ByteString, facts?: Parameters<Context['ports']['log']['main']>[2]): void {
    this.context.ports.log.main(this.claim.id, text, facts)
  }

  /** A line of the message log. */
  note(text: ByteString): void {
    const { settings, ports } = this.context
    if (!settings.message_logs) return
    this.#messageLog.push(`${logTime(ports.now(), settings, this.selects('millisec'))} ${text}`)
  }

  /** Puts the new marks on disk, so that what they stand for is not done again. */
  async save(): Promise<void> {
    if (!this.marks.unsaved) return
    this.flushNotes()
    await this.claim.record({ done: this.marks.takeFresh() })
  }

  /** Writes the lines of the message log that wait. */
  flushNotes(): void {
    for (const line of this.#messageLog.splice(0)) this.claim.log(line)
  }
}
