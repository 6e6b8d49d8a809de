/**
 * Messages of which this process knows more than the index does: just committed, being worked on, just completed.
 * They are brought into the index in batches; most are completed before, and never enter it.
 */
import type { Envelope } from '../../mail/envelope.ts'
import {
  appendLater,
  fileExists,
  type FileOwner,
  makeFolder,
  removeLater,
  renameFile,
  spoolError,
} from './disk.ts'
import type { Location } from './journal.ts'
import type { IndexEntry, IndexWriter, QueueIndex } from './queue-index.ts'
import { ToldPlaces } from './told-places.ts'
import { indexEntry, type MessageJson, type StoredMessage } from './stored-message.ts'

/** How long a message may stay out of the index. */
const indexDelayMs = 25
/** After the index could not be written. */
const indexRetryMs = 1000

export interface Held {
  readonly id: string
  message: StoredMessage
  parts: readonly Location[]
  /** Other segments that hold a message record of it. */
  origins: readonly string[]
  /** Of the newest record, which may be on its way to the disk. */
  sequence: number
  /** What is on the disk: the index must not know more, or a crash would leave it believing in records that never were. */
  recorded: { readonly sequence: number; readonly envelope: Envelope }
  readonly bodyFile: string
  claimed: boolean
  /** True when the index has it. */
  indexed: boolean
  /** When it was committed, by the steady clock. */
  readonly since: number
  nextAttemptAt: number
  reason: string
  logLines: string
  /** Writes to its message log that are under way; the file goes when they have ended and it is complete. */
  logWrites: number
  /** False: nobody has written a message log for it, so there is none to remove. */
  mayHaveLog: boolean
  complete: boolean
  /** Its message log stays, in `msglog.OLD`. */
  keepLog: boolean
}

/** A message when it is first held. */
export function newHeld(message: StoredMessage, bodyFile: string, entry?: IndexEntry): Held {
  const sequence = entry?.sequence ?? 1
  return {
    id: message.id,
    message,
    parts: entry?.parts ?? [],
    origins: entry?.origins ?? [],
    sequence,
    recorded: { sequence, envelope: message.envelope },
    bodyFile,
    claimed: entry !== undefined,
    indexed: entry !== undefined,
    since: entry === undefined ? performance.now() : 0,
    nextAttemptAt: entry?.nextAttemptAt ?? message.envelope.receivedAt,
    reason: entry?.reason ?? '',
    logLines: '',
    logWrites: 0,
    mayHaveLog: entry !== undefined,
    complete: false,
    keepLog: false,
  }
}

export interface HeldHost {
  readonly directory: string
  readonly index: QueueIndex
  readonly owner: FileOwner | undefined
  /** Key of this process in claims. */
  readonly key: string
  crashPoint(name: string): void
  log(line: string): void
}

export class HeldMessages {
  readonly #host: HeldHost
  readonly #held = new Map<string, Held>()
  readonly #changed = new Set<Held>()
  /** Completed messages that the index still has. */
  readonly #removals = new Map<
    string,
    { readonly held: Held; readonly segment: string; readonly others: readonly string[] }
  >()
  readonly #told = new ToldPlaces()
  /** Held messages that the index does not count. */
  #uncounted = 0
  #timer: NodeJS.Timeout | undefined
  #trouble = false
  #stopped = false
  /** Writes to message logs that are under way, and who waits for their end. */
  #logWrites = 0
  #whenWritten: (() => void)[] = []

  constructor(host: HeldHost) {
    this.#host = host
  }

  get(id: string): Held | undefined {
    return this.#held.get(id)
  }

  /** True when it was completed here and the index may not say so yet. */
  isCompleted(id: string): boolean {
    return this.#removals.has(id)
  }

  /** What to add to the number of messages in the index. */
  get uncounted(): number {
    return this.#uncounted - this.#removals.size
  }

  add(held: Held): void {
    this.#held.set(held.id, held)
    if (held.indexed) return
    this.#uncounted++
    this.#told.committed(held.parts[0])
    this.change(held)
  }

  /** The index is to learn what has changed. */
  change(held: Held): void {
    this.#changed.add(held)
    this.#schedule()
  }

  /** Its tombstone is on disk, in `segment`; `others` hold records of it. */
  complete(held: Held, segment: string, others: readonly string[]): void {
    held.claimed = false
    held.complete = true
    this.#held.delete(held.id)
    this.#changed.delete(held)
    if (held.keepLog) this.#writeLog(held)
    if (!held.indexed) {
      this.#uncounted--
      return
    }
    this.#removals.set(held.id, { held, segment, others })
    this.#schedule()
  }

  /** Gives the claim up; another process may be waiting for it. */
  release(held: Held): void {
    held.claimed = false
    // Another process may take it from here, and give it back.
    held.mayHaveLog = true
    this.change(held)
    if (held.indexed) this.tryFlush(false)
  }

  /** A line for the message log, which becomes a file only when the message enters the index. */
  logLine(held: Held, line: string): void {
    held.logLines += line
    if (held.indexed) this.#writeLog(held)
  }

  /** True when the index knows all that a segment says. */
  isSettled(name: string): boolean {
    if (this.needsSegment(name)) return false
    for (const { segment } of this.#removals.values()) if (segment === name) return false
    return true
  }

  /** True while a message held here needs a segment that the index does not know of. */
  needsSegment(name: string): boolean {
    for (const held of this.#held.values()) {
      if (held.parts.some((part) => part.segment === name) || held.origins.includes(name)) return true
    }
    for (const { others } of this.#removals.values()) if (others.includes(name)) return true
    return false
  }

  /** Brings the index up to date. Unless `all`, messages that may be completed any moment stay out of it. */
  flush(all: boolean): void {
    if (this.#nothingToTell()) return
    const young = performance.now() - indexDelayMs
    const due: Held[] = []
    const left: Held[] = []
    for (const held of this.#changed) (all || held.indexed || held.since <= young ? due : left).push(held)
    if (due.length > 0 || this.#removals.size > 0 || this.#told.farBehind) this.#write(due, left)
    // Only now: whoever writes a late line into the log sees that the message is gone, and that the file is to go, too.
    for (const { held } of this.#removals.values()) if (held.logWrites === 0) this.#endLog(held)
    this.#removals.clear()
    for (const held of due) {
      this.#changed.delete(held)
      if (!held.indexed) this.#uncounted--
      held.indexed = true
      this.#writeLog(held)
      if (!held.claimed) this.#held.delete(held.id)
    }
    if (this.#changed.size > 0) this.#schedule()
  }

  /** A full disk, for one, refuses: what should be written is kept and tried again. */
  tryFlush(all: boolean): void {
    if (this.#nothingToTell()) return
    this.inIndex(() => this.flush(all))
  }

  /** Does something with the index; undefined when it cannot be written, which is told once until it can. */
  inIndex<T>(work: () => T): T | undefined {
    try {
      const result = work()
      this.#trouble = false
      return result
    } catch (error) {
      if (!this.#trouble) this.#host.log(`spool: ${spoolError(error, 'writing the spool index').message}`)
      this.#trouble = true
      if (this.#changed.size > 0 || this.#removals.size > 0) this.#schedule()
      return undefined
    }
  }

  /** Gives all claims up and writes everything; throws when the index cannot be written. */
  close(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const held of this.#held.values()) {
      held.claimed = false
      this.#changed.add(held)
    }
    this.flush(true)
  }

  /** Resolves when all lines are in their message logs. */
  async logsWritten(): Promise<void> {
    if (this.#logWrites > 0) await new Promise<void>((resolve) => this.#whenWritten.push(resolve))
  }

  #nothingToTell(): boolean {
    return this.#changed.size === 0 && this.#removals.size === 0 && !this.#told.farBehind
  }

  #write(due: readonly Held[], left: readonly Held[]): void {
    const told = this.#told.with(left.map((held) => held.parts[0]))
    this.#host.index.transact((write) => {
      for (const [id, { segment, others }] of this.#removals) {
        const old = write.get(id)
        if (old !== undefined) write.remove(id, old)
        if (others.length > 0) write.putTombstone(id, segment, others)
      }
      for (const held of due) this.#put(write, held)
      for (const [segment, offset] of told) write.putTold(segment, offset)
    })
    this.#told.written(told)
    this.#host.crashPoint('index-written')
  }

  #put(write: IndexWriter, held: Held): void {
    const claimedBy = held.claimed ? this.#host.key : ''
    write.put(held.id, entryOf(held, claimedBy), held.indexed ? write.get(held.id) : undefined)
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#stopped) return
    const delay = this.#trouble ? indexRetryMs : indexDelayMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.tryFlush(false)
    }, delay)
  }

  #writeLog(held: Held): void {
    // One after the other: what is appended side by side may change places.
    if (held.logLines === '' || held.logWrites > 0) return
    const lines = held.logLines
    held.logLines = ''
    held.logWrites++
    this.#logWrites++
    held.mayHaveLog = true
    const path = this.#logFile(held.id)
    appendLater(path, lines, this.#host.owner, (error) => {
      held.logWrites--
      this.#logWrites--
      if (held.logLines !== '' && (!held.complete || held.keepLog)) this.#writeLog(held)
      if (held.complete && held.logWrites === 0 && !this.#removals.has(held.id)) this.#endLog(held)
      if (!held.complete && !held.claimed) this.#endLateLog(held)
      if (error !== null) this.#host.log(`message log of ${held.id}: ${error.message}`)
      if (this.#logWrites === 0) for (const resolve of this.#whenWritten.splice(0)) resolve()
    })
  }

  /** The log of a message that is complete. */
  #endLog(held: Held): void {
    if (!held.mayHaveLog) return
    const path = this.#logFile(held.id)
    if (!held.keepLog) return removeLater(path)
    const old = `${this.#host.directory}/msglog.OLD`
    try {
      makeFolder(old, this.#host.owner)
      if (fileExists(path)) renameFile(path, `${old}/${held.id}`)
    } catch (error) {
      this.#host.log(spoolError(error, `keeping the message log of ${held.id}`).message)
    }
  }

  /** Another process may have taken the message and completed it before the line was written. */
  #endLateLog({ id }: Held): void {
    const { index } = this.#host
    this.inIndex(() => {
      index.refresh()
      if (!index.has(id) && !this.#held.has(id)) removeLater(this.#logFile(id))
    })
  }

  #logFile(id: string): string {
    return `${this.#host.directory}/msglog/${id}`
  }
}

function entryOf(held: Held, claimedBy: string): IndexEntry {
  return indexEntry(held.recorded.envelope, {
    sequence: held.recorded.sequence,
    parts: held.parts,
    origins: held.origins,
    bodyFile: held.bodyFile,
    bodySize: held.message.bodySize,
    nextAttemptAt: held.nextAttemptAt,
    reason: held.reason,
    claimedBy,
  })
}

export function messageJson(held: Held): MessageJson {
  const { envelope, bodySize } = held.message
  return held.bodyFile === '' ? { envelope, bodySize } : { envelope, bodyFile: held.bodyFile, bodySize }
}

/** The segments that hold a message record of it: while one of them exists, its tombstone must. */
export function messageSegments(held: Held): string[] {
  return [...new Set([...held.parts.slice(0, 1).map(({ segment }) => segment), ...held.origins])]
}
