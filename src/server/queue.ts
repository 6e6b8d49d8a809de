/**
 * The queue at work: messages just accepted, messages asked for, and queue runs. Deliveries run side by side up to a
 * limit; a message is worked on by one process at a time, which the spool's claims see to.
 * Source: Exim manual, "How Exim receives and delivers mail"; "-q".
 */
import { frozenLine } from '../flow/delivery/frozen.ts'
import type { DeliveryOptions, DeliverySummary } from '../flow/delivery/index.ts'
import type { Claim, FrozenRow, QueueEntry, QueueQuery, Spool, SpooledMessage } from '../store/spool/api.ts'
import type { Log } from '../ports.ts'

/** How one delivery is made. */
export type DeliveryOrder = DeliveryOptions

/** Delivers a claimed message as far as it goes now; completes or releases the claim. */
export type DeliverMessage = (claim: Claim, order: DeliveryOrder) => Promise<DeliverySummary | undefined>

export interface QueueOptions {
  readonly spool: Spool
  readonly log: Log
  readonly deliver: DeliverMessage
  readonly now: () => number
  readonly pid: number
  /** Deliveries of accepted messages at once. */
  readonly parallel: number
  /** Messages of one queue run at once. */
  readonly parallelInRun: number
  /** `queue_run_in_order`; else a run takes them as they are due. */
  readonly inOrder?: boolean
  /** True for a frozen message that a run leaves as it is, whatever else the message holds. */
  readonly staysFrozen: (row: FrozenRow) => boolean
  /** Takes what `-d` tells of a queue run. */
  readonly debug?: ((line: string) => void) | undefined
  /** `deliver_queue_load_max`, and the load now; undefined: no limit. */
  readonly mostLoad?: number | undefined
  readonly load?: (() => number) | undefined
  /** A delivery that ended with a bug, not with a result. */
  readonly onFault: (id: string, error: unknown) => void
}

/** Which messages a run takes: `-q`, `-R`, `-S` and what follows them. */
export interface RunRequest {
  readonly force: boolean
  readonly thaw: boolean
  /** `-qi`: only those not tried before. */
  readonly firstOnly: boolean
  readonly localOnly: boolean
  /** `-qq`: everything is routed first, then delivered. */
  readonly twoStage: boolean
  readonly queueName?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** `-R`, `-S`: text in lower case, or a regular expression. */
  readonly recipient?: ((address: string) => boolean) | undefined
  readonly sender?: ((address: string) => boolean) | undefined
  /** The run does not wait for deliveries that take long; `idle` and `drain` do. */
  readonly leavesSlow?: boolean
  /** As it is logged: `-qff`, `-R example`. */
  readonly described?: string
}

/**
 * A delivery that takes longer gives its turn to another one: hosts that do not answer must not hold up the mail of
 * others. So many may be that slow at once.
 */
const slowMs = 1000
const mostSlow = 500

/** Messages that a run passes over without a turn of the event loop between. */
const mostPassedAtOnce = 200

/** Accepted messages that wait for their delivery; beyond, the next queue run finds them. */
const mostWaiting = 20_000
/** Of those, so many bytes are kept in memory; the others are read from the spool when it is their turn. */
const mostWaitingBytes = 8 << 20
/** Bodies larger than this are in files, not in memory. */
const bodyInMemoryBytes = 65_536

/** An accepted message that waits for its delivery: itself, or only its id. */
interface Waiting {
  readonly message: SpooledMessage | string
  readonly order: DeliveryOrder
}
const takenOut: Waiting = { message: '', order: {} }

export class DeliveryQueue {
  readonly #options: QueueOptions
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #waitingFrom = 0
  #running = 0
  /** Of those running, the ones that have given up their turn. */
  #slow = 0
  #stopped = false
  /** Told already, for the run that is under way. */
  #abandoned = false
  #whenIdle: (() => void)[] = []
  #foreground = false

  constructor(options: QueueOptions) {
    this.#options = options
  }

  /** A call has waited for a delivery (`-odf`): what comes of it is delivered before the call ends, too. */
  get foreground(): boolean {
    return this.#foreground
  }

  /** How many deliveries are under way. */
  get running(): number {
    return this.#running
  }

  /** Sees to a message that was accepted just now, as soon as there is room. */
  accepted(message: SpooledMessage, order: DeliveryOrder = {}): void {
    if (this.#stopped || message.envelope.queueOnly === true) return
    if (!this.#room()) {
      if (this.#waiting.length - this.#waitingFrom < mostWaiting) this.#wait(message, order)
      return
    }
    void this.#deliverAccepted({ message, order })
  }

  /** Sees to messages of a process that died, as if they had been accepted now. */
  takeOver(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#stopped) return
      if (this.#room()) void this.#deliverAccepted({ message: id, order: {} })
      else if (this.#waiting.length - this.#waitingFrom < mostWaiting)
        this.#waiting.push({ message: id, order: {} })
    }
  }

  /** Delivers a message that was accepted just now and resolves when that attempt is over (`-odf`). */
  async deliverNow(message: SpooledMessage, order: DeliveryOrder = {}): Promise<DeliverySummary | undefined> {
    let summary: DeliverySummary | undefined
    this.#foreground = true
    await this.#attempt(() => this.#claimAccepted(message), order, {
      onEnd(ended) {
        summary = ended
      },
    })
    return summary
  }

  /** Delivers one message of the queue (`-M`). */
  async deliver(id: string, order: DeliveryOrder): Promise<'done' | 'locked' | 'missing'> {
    const { spool } = this.#options
    if (await this.#attempt(() => spool.claim(id), order)) return 'done'
    return spool.entry(id) === undefined ? 'missing' : 'locked'
  }

  /** Runs work that belongs to a delivery and outlasts it; the queue is not idle before it is over. */
  during(work: () => Promise<void>): void {
    this.#running++
    work()
      .catch((error: unknown) => this.#options.onFault('messages that follow another', error))
      .finally(() => this.#ended())
  }

  /** Takes nothing new. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** One queue run from beginning to end. */
  async run(request: RunRequest): Promise<void> {
    const { log, pid } = this.#options
    const what = request.described === undefined ? '' : ` ${request.described}`
    this.#options.debug?.(`queue running${request.twoStage ? ' (two-stage)' : ''}${what}`)
    const run =
      request.queueName === undefined || request.queueName === '' ? 'queue' : `'${request.queueName}' queue`
    if (log.selects('queue_run')) log.main(undefined, `Start ${run} run: pid=${pid}${what}`)
    this.#abandoned = false
    if (request.twoStage) await this.#pass(request, true)
    await this.#pass(request, false)
    if (log.selects('queue_run')) log.main(undefined, `End ${run} run: pid=${pid}${what}`)
  }

  /** Resolves when nothing is under way and nothing waits for its turn. */
  async idle(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  /** Takes nothing new; resolves when what is under way is over. */
  async drain(): Promise<void> {
    this.#stopped = true
    this.#waiting = []
    this.#waitingFrom = 0
    this.#waitingBytes = 0
    if (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  async #pass(request: RunRequest, localFirst: boolean): Promise<void> {
    const { spool, now, parallelInRun, inOrder = false } = this.#options
    const all =
      request.force || request.thaw || request.recipient !== undefined || request.sender !== undefined
    const query: QueueQuery = {
      order: inOrder ? 'arrival' : 'none',
      ...(all ? {} : { dueAt: now() }),
      ...(request.from === undefined ? {} : { from: request.from }),
      ...(request.to === undefined ? {} : { to: request.to }),
      // A queue with a name has runs of its own. Source: Exim manual, "-qG".
      queueName: request.queueName ?? '',
    }
    const chosen = request.firstOnly || request.recipient !== undefined || request.sender !== undefined
    const entries =
      request.thaw || chosen
        ? spool.list(query)
        : spool.listUnless((row) => !this.#stopped && !this.#overloaded() && this.#leftFrozen(row), query)
    const order: DeliveryOrder = {
      force: request.force,
      thaw: request.thaw,
      queueRun: true,
      chosen,
      localOnly: request.localOnly || localFirst,
    }
    let passed = 0
    const iterator = entries[Symbol.iterator]()
    const worker = async (): Promise<void> => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        if (this.#stopped || this.#overloaded()) return
        const entry = next.value
        // A run that looks at messages first says it of all, without their ids: observed of Exim 4.96.
        const left = chosen && !request.thaw && entry !== undefined && this.#staysFrozen(entry)
        const takes = entry !== undefined && !left && wanted(entry, request)
        if (entry !== undefined) this.#options.debug?.(`${takes ? 'selected' : 'passed over'} ${entry.id}`)
        if (takes) await this.#turnOf(entry, order, request.leavesSlow === true && parallelInRun > 1)
        // Others are to have their turns although nothing here waits.
        else if (entry === undefined || ++passed % mostPassedAtOnce === 0)
          await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await Promise.all(Array.from({ length: parallelInRun }, worker))
  }

  #staysFrozen({ frozenAt, ...entry }: QueueEntry): boolean {
    if (frozenAt === undefined || !this.#options.staysFrozen({ ...entry, frozenAt })) return false
    const { log } = this.#options
    if (log.selects('skip_delivery')) log.main(undefined, frozenLine)
    return true
  }

  /** A frozen message that stays so costs a line of the log: it is neither claimed nor read. */
  #leftFrozen(row: FrozenRow): boolean {
    const { staysFrozen, log, debug } = this.#options
    if (!staysFrozen(row)) return false
    debug?.(`selected ${row.id}`)
    if (log.selects('skip_delivery')) log.main(row.id, frozenLine)
    return true
  }

  /** Source: Exim manual, "deliver_queue_load_max": the run is abandoned. */
  #overloaded(): boolean {
    const { mostLoad, load, log, pid } = this.#options
    const now = mostLoad === undefined ? 0 : (load?.() ?? 0)
    if (mostLoad === undefined || now <= mostLoad) return false
    if (!this.#abandoned) {
      log.main(
        undefined,
        `Abandon queue run: pid=${pid} (load ${now.toFixed(2)}, max ${mostLoad.toFixed(2)})`,
      )
    }
    this.#abandoned = true
    return true
  }

  /** Resolves when a message of a run is seen to, or when it takes long and the run need not wait. */
  #turnOf(entry: QueueEntry, order: DeliveryOrder, leavesSlow: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const onSlow = (): void => {
        if (leavesSlow) resolve()
      }
      this.#fromQueue(entry, order, onSlow).then(resolve, reject)
    })
  }

  async #fromQueue(entry: QueueEntry, order: DeliveryOrder, onSlow: () => void): Promise<void> {
    const { spool, log } = this.#options
    if (await this.#attempt(() => spool.claim(entry.id), order, { onSlow })) return
    if (log.selects('skip_delivery') && spool.entry(entry.id) !== undefined) {
      log.main(entry.id, lockedLine(entry.id))
    }
  }

  async #deliverAccepted({ message, order }: Waiting): Promise<void> {
    await this.#attempt(() => this.#claimAccepted(message), order)
    this.#next()
  }

  /** What others have seen in the index since is claimed there. */
  #claimAccepted(message: SpooledMessage | string): Claim | undefined | Promise<Claim | undefined> {
    const { spool } = this.#options
    if (typeof message === 'string') return this.#claimById(message)
    return spool.claimCommitted(message) ?? spool.claim(message.id)
  }

  async #claimById(id: string): Promise<Claim | undefined> {
    const claim = await this.#options.spool.claim(id)
    if (claim?.message.envelope.queueOnly !== true) return claim
    // It waits for a queue run.
    claim.release()
    return undefined
  }

  /** One delivery; false when the message is not there or in other hands. */
  async #attempt(
    claiming: () => Claim | undefined | Promise<Claim | undefined>,
    order: DeliveryOrder,
    watch: { readonly onSlow?: () => void; onEnd?(summary: DeliverySummary | undefined): void } = {},
  ): Promise<boolean> {
    // Counted before the claim: the limit holds, and nobody closes the spool under it.
    this.#running++
    let slow = false
    const timer = setTimeout(() => {
      if (this.#slow >= mostSlow) return
      slow = true
      this.#slow++
      watch.onSlow?.()
      this.#next()
    }, slowMs)
    let claim: Claim | undefined
    try {
      const got = claiming()
      claim = got instanceof Promise ? await got : got
      const summary = claim === undefined ? undefined : await this.#options.deliver(claim, order)
      watch.onEnd?.(summary)
    } catch (error) {
      this.#options.onFault(claim?.id ?? 'a message', error)
      claim?.release()
    } finally {
      clearTimeout(timer)
      if (slow) this.#slow--
      this.#ended()
    }
    return claim !== undefined
  }

  #ended(): void {
    this.#running--
    if (this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  #wait(message: SpooledMessage, order: DeliveryOrder): void {
    const bytes = memoryOf(message)
    const keep = this.#waitingBytes + bytes <= mostWaitingBytes
    if (keep) this.#waitingBytes += bytes
    this.#waiting.push({ message: keep ? message : message.id, order })
  }

  #room(): boolean {
    return this.#running - this.#slow < this.#options.parallel
  }

  #next(): void {
    if (!this.#room()) return
    const waiting = this.#waiting[this.#waitingFrom]
    if (waiting === undefined) return
    // Given free at once; the place in the array goes later.
    this.#waiting[this.#waitingFrom] = takenOut
    this.#waitingFrom++
    const { message } = waiting
    if (typeof message !== 'string') this.#waitingBytes -= memoryOf(message)
    // The front of the array is given back from time to time, not at each step.
    if (this.#waitingFrom > 1000) {
      this.#waiting = this.#waiting.slice(this.#waitingFrom)
      this.#waitingFrom = 0
    }
    void this.#deliverAccepted(waiting)
  }
}

/** Of the log selector `skip_delivery`. */
export function lockedLine(id: string): string {
  return `Spool file for ${id} is locked (another process is handling this message)`
}

/** About what a message that waits costs. */
function memoryOf({ envelope, bodySize }: SpooledMessage): number {
  let bytes = 1024 + (bodySize > bodyInMemoryBytes ? 0 : bodySize)
  for (const header of envelope.headers) bytes += header.text.length
  return bytes + envelope.recipients.length * 100
}

function wanted(entry: QueueEntry, request: RunRequest): boolean {
  if (request.firstOnly && !entry.firstDelivery) return false
  if (request.sender !== undefined && !request.sender(entry.sender)) return false
  if (request.recipient === undefined) return true
  return entry.recipients.some(({ address, done }) => !done && request.recipient?.(address) === true)
}
