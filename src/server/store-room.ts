/**
 * Spool and hints of one process: opened when first asked for, kept over a reload of the configuration, closed at the
 * end. A process that only looks opens the spool for reading, and sees hints of its own.
 */
import { mayWriteFolder } from './files.ts'
import type { Hints } from '../ports.ts'
import type { FileOwner } from '../store/spool/disk.ts'
import type { EventTarget } from '../wire/event-target.ts'
import type { EventStream } from './event-stream.ts'
import type { Counters } from './metrics/counters.ts'
import type { Recorder } from './recorder.ts'
import type { ExplanationWriter } from '../store/explanations.ts'
import type { LeftBehind, Spool } from '../store/spool/api.ts'
import { createMemoryHints } from '../store/hints/memory.ts'

export interface StoreRoomOptions {
  /** A call that ends soon: it leaves tidying to the daemon. */
  readonly brief: boolean
  now(): number
  /** Takes a sentence about damage and recovery. */
  log(line: string): void
  readonly messageIdForm: 'long' | 'short'
}

/** Hints that nobody has written for so long are removed, as exim_tidydb does. */
const hintsLifeMs = 30 * 86_400_000
const tidyEveryMs = 86_400_000
/** A daemon that is started anew each night tidies too. */
const firstTidyMs = 300_000

/** Where explanations are kept below a spool. */
export function explanationsOf(spoolDirectory: string): string {
  return `${spoolDirectory}/explain`
}

export class StoreRoom {
  readonly #options: StoreRoomOptions
  readonly hints: Hints
  #directory = ''
  #localhostNumber: number | undefined
  /** Numbers for `/metrics`, from the first configuration that wants them. */
  counters: Counters | undefined
  /** What processes beside the daemon counted. */
  beside: Counters | undefined
  #whenFailed: ((why: string) => void) | undefined
  #takesOver: ((left: LeftBehind) => void) | undefined
  readonly #left: LeftBehind[] = []
  #reading: Promise<Spool> | undefined
  #writing: Promise<Spool> | undefined
  #written: Spool | undefined
  #opening: Promise<void> | undefined
  #events: EventStream | undefined
  #explanations: ExplanationWriter | undefined
  #eventTarget: EventTarget | undefined
  #current: Hints = createMemoryHints()
  #closeHints: (() => Promise<void>) | undefined

  constructor(options: StoreRoomOptions) {
    this.#options = options
    const current = (): Hints => this.#current
    this.hints = {
      get: (database, key) => current().get(database, key),
      put: (database, key, value) => current().put(database, key, value),
      remove: (database, key) => current().remove(database, key),
      update: (database, key, change) => current().update(database, key, change),
      entries: (database, range) => current().entries(database, range),
    }
  }

  /** Where `spool_directory` is; a directory once used stays. */
  useDirectory(directory: string): void {
    if (this.#reading === undefined && this.#writing === undefined) this.#directory = directory
  }

  /** Called once when the disk has failed a sync: this process can do nothing more with its spool. */
  whenFailed(then: (why: string) => void): void {
    this.#whenFailed = then
  }

  /** Called with what another process left when it died; what was found before is told now. */
  whenTakenOver(then: (left: LeftBehind) => void): void {
    this.#takesOver = then
    for (const left of this.#left.splice(0)) then(left)
  }

  /** Another process of the daemon has just died. */
  async takeOver(): Promise<void> {
    await this.#written?.takeOver()
  }

  /** `localhost_number`; once ids have been given it stays. */
  useLocalhostNumber(number: number): void {
    this.#localhostNumber = number
  }

  get directory(): string {
    return this.#directory
  }

  spool(use: 'read' | 'write'): Promise<Spool> {
    if (this.#writing !== undefined) return this.#writing
    if (use === 'read') return (this.#reading ??= this.#open(true))
    this.#writing = this.#open(false)
    return this.#writing
  }

  /** How many messages wait; undefined while nothing here has opened the spool to write. */
  queueSize(): number | undefined {
    return this.#written?.count()
  }

  /** The hints that all processes share take the place of this process's own. */
  openHints(): Promise<void> {
    this.#opening ??= this.#openHints()
    return this.#opening
  }

  /** Opens the event stream, or gives it another target when the configuration names one. */
  async useEventStream(
    text: string,
    limitBytes: number,
    owner: FileOwner | undefined,
  ): Promise<string | undefined> {
    const { eventTarget } = await import('../wire/event-target.ts')
    const target = eventTarget(text)
    if ('wrong' in target) return target.wrong
    this.#eventTarget = target
    const folder = `${this.#directory}/events`
    if (this.#options.brief && !mayWriteFolder(folder)) return undefined
    const { openEventStream } = await import('./event-stream.ts')
    this.#events ??= openEventStream({
      ...this.#options,
      folder,
      owner,
      limitBytes,
      target: (lines) => (this.#eventTarget ?? target)(lines),
    })
    return undefined
  }

  /** Explanations of the latest sessions: `explain_store`. Undefined: this process may not write there. */
  async recorder(most: number, owner: FileOwner): Promise<Recorder | undefined> {
    if (this.#options.brief && !mayWriteFolder(explanationsOf(this.#directory))) return undefined
    const { openExplanations } = await import('../store/explanations.ts')
    const { createRecorder } = await import('./recorder.ts')
    this.#explanations ??= openExplanations({
      directory: explanationsOf(this.#directory),
      shared: this.#options.brief,
      most,
      owner,
      log: (line) => this.#options.log(line),
    })
    this.#explanations.keep(most)
    return createRecorder(this.#explanations)
  }

  /** Undefined: there is none. */
  get events(): EventStream | undefined {
    return this.#events
  }

  async close(): Promise<void> {
    await this.#events?.close()
    await this.#explanations?.close()
    for (const opened of [this.#reading, this.#writing]) {
      if (opened === undefined) continue
      const spool = await opened.catch(() => undefined)
      await spool?.close()
    }
    await this.#closeHints?.().catch((error: unknown) => this.#options.log(`hints: ${String(error)}`))
  }

  async #open(readOnly: boolean): Promise<Spool> {
    const { openSpool } = await import('../store/spool/index.ts')
    const spool = await openSpool({
      localhostNumber: this.#localhostNumber,
      ...this.#options,
      directory: this.#directory,
      readOnly,
      onFailure: (why) => this.#whenFailed?.(why.message),
      onTakenOver: (left) => {
        if (this.#takesOver === undefined) this.#left.push(left)
        else this.#takesOver(left)
      },
    })
    if (!readOnly) this.#written = spool
    return spool
  }

  async #openHints(): Promise<void> {
    const directory = `${this.#directory}/hints`
    // A test of addresses needs no rights on the spool: it sees no hints then, and leaves none.
    if (this.#options.brief && !mayWriteFolder(directory)) return
    const { openHints } = await import('../store/hints/index.ts')
    const hints = await openHints({ ...this.#options, directory })
    this.#current = hints
    const tidy = (): void =>
      void hints
        .tidy(hintsLifeMs)
        .catch((error: unknown) => this.#options.log(`hints: tidying: ${String(error)}`))
    const timers = this.#options.brief
      ? []
      : [setTimeout(tidy, firstTidyMs).unref(), setInterval(tidy, tidyEveryMs).unref()]
    this.#closeHints = () => {
      for (const timer of timers) clearTimeout(timer)
      return hints.close()
    }
  }
}
