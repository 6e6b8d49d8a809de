/** The spool at work: commits, claims, marks, the listing. Opening and recovery are in files of their own. */
import { createMessageIds } from '../../base/message-id.ts'
import type { ByteString } from '../../base/text.ts'
import type { Envelope } from '../../mail/envelope.ts'
import {
  type Claim,
  type IncomingMessage,
  type MessageUpdate,
  type QueueEntry,
  type QueueQuery,
  type Spool,
  SpoolError,
  type SpooledMessage,
} from './api.ts'
import { appendLater, freeSpace, readSmallFile, removeLater, spoolError, syncFolder } from './disk.ts'
import { type CommittedBody, Incoming, type IncomingHost } from './incoming.ts'
import type { Journal, Location } from './journal.ts'
import type { OpenSpool } from './opening.ts'
import { isAlive } from './process-key.ts'
import { type IndexEntry, type IndexWriter, queueEntry } from './queue-index.ts'
import { loadMessage } from './load.ts'
import { indexEntry, type MessageJson, mustBeKept, StoredMessage, updateEnvelope } from './stored-message.ts'
import { SyncGroup } from './sync-group.ts'

/** How long a message may stay out of the index: most are delivered by then and never enter it. */
const indexDelayMs = 25
/** After the index could not be written. */
const indexRetryMs = 1000
const messageLogLimit = 4 << 20
/** A message with more records than this gets one that stands for all updates before it. */
const partsLimit = 16

/** A message this process knows more of than the index does. */
interface Held {
  readonly id: string
  message: StoredMessage
  parts: readonly Location[]
  origins: readonly string[]
  sequence: number
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
  complete: boolean
}

export class FileSpool implements Spool {
  readonly directory: string
  readonly #open: OpenSpool
  readonly #nextId: () => string
  readonly #host: IncomingHost
  readonly #held = new Map<string, Held>()
  readonly #changed = new Set<Held>()
  /** Completed messages that the index still has. */
  readonly #removals = new Map<string, { readonly segment: string; readonly others: readonly string[] }>()
  #uncounted = 0
  #timer: NodeJS.Timeout | undefined
  #indexTrouble = false
  #closing = false
  #closed = false

  constructor(opened: OpenSpool) {
    this.#open = opened
    this.directory = opened.directory
    const { options } = opened
    this.#nextId = createMessageIds({
      form: options.messageIdForm ?? 'long',
      pid: process.pid,
      now: options.now,
      localhostNumber: options.localhostNumber,
    })
    const bodySync = new SyncGroup(() => syncFolder(`${opened.directory}/bodies`))
    this.#host = {
      bodies: `${opened.directory}/bodies`,
      key: opened.key,
      owner: opened.owner,
      crashPoint: opened.crashPoint,
      syncBodies: () => bodySync.sync(),
      commit: (incoming, envelope) => this.#commit(incoming, envelope),
    }
  }

  get damaged(): readonly { readonly what: string; readonly why: string }[] {
    return this.#open.damaged
  }

  begin(options?: { readonly sizeHint?: number; readonly id?: string }): IncomingMessage {
    this.#writable()
    let id = options?.id ?? this.#nextId()
    // A clock set back over a restart could name a message that is still here.
    while (options?.id === undefined && (this.#held.has(id) || this.#open.index.has(id))) id = this.#nextId()
    return new Incoming(id, this.#host, options?.sizeHint)
  }

  claimCommitted(message: SpooledMessage): Claim | undefined {
    this.#writable()
    const held = this.#held.get(message.id)
    if (held !== undefined && !held.indexed) {
      if (held.claimed) return undefined
      held.claimed = true
      return this.#claimOf(held)
    }
    // The index has shown it to others since, so the claim is made there.
    if (held !== undefined || !(message instanceof StoredMessage)) return undefined
    const found = this.#claimInIndex(message.id)
    if (found === undefined || 'deadOwner' in found) return undefined
    if (found.sequence === 1) return this.#hold(message.id, found, message)
    this.#giveBack(message.id)
    return undefined
  }

  async claim(id: string): Promise<Claim | undefined> {
    this.#writable()
    const known = this.#held.get(id)
    if (known !== undefined && !known.indexed) {
      if (known.claimed) return undefined
      known.claimed = true
      return this.#claimOf(known)
    }
    if (known !== undefined || this.#removals.has(id)) this.flushIndex(true)
    if (this.#held.has(id)) return undefined
    for (let attempt = 0; attempt < 3; attempt++) {
      const found = this.#claimInIndex(id)
      if (found === undefined) return undefined
      if (!('deadOwner' in found)) return this.#take(id, found)
      await this.#open.adoptDead()
    }
    return undefined
  }

  async read(id: string): Promise<SpooledMessage | undefined> {
    const held = this.#held.get(id)
    if (held !== undefined) return held.message
    for (let attempt = 0; attempt < 3; attempt++) {
      this.#open.index.refresh()
      const entry = this.#removals.has(id) ? undefined : this.#open.index.get(id)
      if (entry === undefined) return undefined
      const message = await loadMessage(this.directory, this.#open.reader, id, entry)
      if (typeof message !== 'string') return message
    }
    return undefined
  }

  async messageLog(id: string): Promise<ByteString | undefined> {
    const lines = this.#held.get(id)?.logLines ?? ''
    const file = readSmallFile(`${this.directory}/msglog/${id}`, messageLogLimit)?.toString('latin1')
    if (file === undefined && lines === '') return this.entry(id) === undefined ? undefined : ''
    return (file ?? '') + lines
  }

  entry(id: string): QueueEntry | undefined {
    this.flushIndex(true)
    this.#open.index.refresh()
    const entry = this.#open.index.get(id)
    return entry === undefined ? undefined : queueEntry(id, entry, aliveOnce())
  }

  *list(query: QueueQuery = {}): Generator<QueueEntry> {
    this.flushIndex(true)
    const { index } = this.#open
    index.refresh()
    const alive = aliveOnce()
    const wanted = (id: string, entry: IndexEntry): boolean =>
      (query.queueName === undefined || entry.queueName === query.queueName) &&
      (query.dueAt === undefined || entry.nextAttemptAt <= query.dueAt) &&
      (query.from === undefined || id >= query.from) &&
      (query.to === undefined || id <= query.to)
    if (query.dueAt === undefined) {
      for (const { id, entry } of index.range(query.from, query.to)) {
        if (wanted(id, entry)) yield queueEntry(id, entry, alive)
      }
      return
    }
    let ids: Iterable<string> = index.due(query.dueAt)
    if (query.order === 'arrival') ids = [...ids].sort()
    for (const id of ids) {
      const entry = index.get(id)
      if (entry !== undefined && wanted(id, entry)) yield queueEntry(id, entry, alive)
    }
  }

  count(queueName?: string): number {
    if (queueName !== undefined && queueName !== '') {
      this.flushIndex(true)
      return this.#open.index.countQueue(queueName)
    }
    return this.#open.index.count() + this.#uncounted - this.#removals.size
  }

  space(): { readonly freeBytes: number; readonly freeInodes: number } {
    return freeSpace(this.directory)
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    await this.#open.stopCare()
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#open.journal?.settle()
    for (const held of this.#held.values()) {
      held.claimed = false
      this.#writeLog(held)
      if (held.indexed) this.#changed.add(held)
    }
    let clean = true
    try {
      if (!this.#open.readOnly) this.flushIndex(true)
    } catch (error) {
      clean = false
      this.#open.log(spoolError(error, 'closing the spool').message)
    }
    await this.#open.close(clean)
  }

  /** True while a message of this process needs a segment that the index does not know of. */
  holdsSegment(name: string): boolean {
    for (const held of this.#held.values()) {
      if (held.parts.some((part) => part.segment === name) || held.origins.includes(name)) return true
    }
    for (const { others } of this.#removals.values()) if (others.includes(name)) return true
    return false
  }

  /** Brings the index up to date. Unless `all`, messages that may be delivered any moment stay out of it. */
  flushIndex(all: boolean): void {
    if (this.#changed.size === 0 && this.#removals.size === 0) return
    const young = performance.now() - indexDelayMs
    const due = [...this.#changed].filter((held) => all || held.indexed || held.since <= young)
    if (due.length > 0 || this.#removals.size > 0) {
      this.#open.index.transact((write) => {
        for (const [id, { segment, others }] of this.#removals) {
          const old = write.get(id)
          if (old !== undefined) write.remove(id, old)
          if (others.length > 0) write.putTombstone(id, segment, others)
        }
        for (const held of due) this.#put(write, held)
      })
      this.#open.crashPoint('index-written')
    }
    this.#removals.clear()
    for (const held of due) {
      this.#changed.delete(held)
      if (!held.indexed) this.#uncounted--
      held.indexed = true
      this.#writeLog(held)
      if (!held.claimed) this.#held.delete(held.id)
    }
    if (this.#changed.size > 0 && !this.#closed) this.#schedule()
  }

  /**
   * Writes a claimed message anew as one record in the newest segment, so that its old segments can go.
   * Used by compaction.
   */
  async rewrite(claim: Claim): Promise<void> {
    const held = this.#held.get(claim.id)
    if (held === undefined || !held.claimed) return
    const body = held.bodyFile === '' ? await held.message.smallBody() : undefined
    const json = messageJson(held)
    const location = await this.#journal().append({
      type: 'message',
      id: held.id,
      sequence: ++held.sequence,
      json,
      body,
    })
    held.origins = messageSegments(held).filter((name) => name !== location.segment)
    held.parts = [location]
    this.#markChanged(held)
  }

  async #commit(incoming: CommittedBody, envelope: Envelope): Promise<SpooledMessage> {
    const { place } = incoming
    const message = new StoredMessage(incoming.id, envelope, place)
    const held: Held = {
      id: incoming.id,
      message,
      parts: [],
      origins: [],
      sequence: 1,
      bodyFile: incoming.bodyFile,
      claimed: false,
      indexed: false,
      since: performance.now(),
      nextAttemptAt: envelope.receivedAt,
      reason: '',
      logLines: '',
      logWrites: 0,
      complete: false,
    }
    const location = await this.#journal().append({
      type: 'message',
      id: held.id,
      sequence: 1,
      json: messageJson(held),
      body: place.is === 'memory' ? place.bytes : undefined,
    })
    held.parts = [location]
    this.#held.set(held.id, held)
    this.#uncounted++
    this.#markChanged(held)
    this.#open.crashPoint('message-committed')
    return message
  }

  #claimInIndex(id: string): IndexEntry | { readonly deadOwner: string } | undefined {
    return this.#open.index.transact((write) => {
      const entry = write.get(id)
      if (entry === undefined) return undefined
      if (entry.claimedBy !== '') {
        if (isAlive(entry.claimedBy)) return undefined
        // What the dead process recorded must be known before its message is touched.
        if (this.#open.hasFolder(entry.claimedBy)) return { deadOwner: entry.claimedBy }
      }
      const claimed = { ...entry, claimedBy: this.#open.key }
      write.put(id, claimed, entry)
      return claimed
    })
  }

  #giveBack(id: string): void {
    this.#open.index.transact((write) => {
      const entry = write.get(id)
      if (entry?.claimedBy === this.#open.key) write.put(id, { ...entry, claimedBy: '' }, entry)
    })
  }

  async #take(id: string, entry: IndexEntry): Promise<Claim | undefined> {
    const message = await loadMessage(this.directory, this.#open.reader, id, entry)
    if (typeof message === 'string') {
      await this.#open.setAsideMessage(id, entry, message)
      return undefined
    }
    return this.#hold(id, entry, message)
  }

  #hold(id: string, entry: IndexEntry, message: StoredMessage): Claim {
    const held: Held = {
      id,
      message,
      parts: entry.parts,
      origins: entry.origins,
      sequence: entry.sequence,
      bodyFile: entry.bodyFile,
      claimed: true,
      indexed: true,
      since: 0,
      nextAttemptAt: entry.nextAttemptAt,
      reason: entry.reason,
      logLines: '',
      logWrites: 0,
      complete: false,
    }
    this.#held.set(id, held)
    return this.#claimOf(held)
  }

  #claimOf(held: Held): Claim {
    return {
      id: held.id,
      get message() {
        return held.message
      },
      record: (update) => this.#record(held, update),
      log: (line) => this.#log(held, line),
      complete: () => this.#complete(held),
      release: () => this.#release(held),
    }
  }

  async #record(held: Held, update: MessageUpdate): Promise<void> {
    this.#mustHold(held)
    held.message = held.message.with(updateEnvelope(held.message.envelope, update))
    held.nextAttemptAt = update.nextAttemptAt ?? held.nextAttemptAt
    held.reason = update.reason ?? held.reason
    if (mustBeKept(update)) {
      const sequence = ++held.sequence
      const whole = held.parts.length >= partsLimit
      const json = whole ? held.message.envelope : update
      const location = await this.#journal().append({
        type: whole ? 'update' : 'mark',
        id: held.id,
        sequence,
        json,
      })
      this.#open.crashPoint('mark-recorded')
      held.parts = whole ? [...held.parts.slice(0, 1), location] : [...held.parts, location]
    }
    this.#markChanged(held)
  }

  async #complete(held: Held): Promise<void> {
    this.#mustHold(held)
    const segments = messageSegments(held)
    const location = await this.#journal().append({
      type: 'tombstone',
      id: held.id,
      sequence: ++held.sequence,
      json: { segments },
    })
    this.#open.crashPoint('tombstone-recorded')
    held.claimed = false
    held.complete = true
    const others = segments.filter((name) => name !== location.segment)
    if (others.length > 0) this.#journal().segment(location.segment)?.tombstones.set(held.id, others)
    this.#held.delete(held.id)
    this.#changed.delete(held)
    if (held.bodyFile !== '') removeLater(`${this.#host.bodies}/${held.bodyFile}`)
    if (!held.indexed) {
      this.#uncounted--
      return
    }
    if (held.logWrites === 0) removeLater(`${this.directory}/msglog/${held.id}`)
    this.#removals.set(held.id, { segment: location.segment, others })
    this.#schedule()
  }

  #release(held: Held): void {
    if (!held.claimed) return
    held.claimed = false
    this.#markChanged(held)
    // Another process may be waiting for it.
    try {
      if (held.indexed) this.flushIndex(false)
    } catch (error) {
      this.#indexRefused(error)
    }
  }

  #log(held: Held, line: ByteString): void {
    held.logLines += line.endsWith('\n') ? line : `${line}\n`
    if (held.indexed) this.#writeLog(held)
  }

  /** The message log of a message that is delivered at once never becomes a file. */
  #writeLog(held: Held): void {
    if (held.logLines === '') return
    const lines = held.logLines
    held.logLines = ''
    held.logWrites++
    const path = `${this.directory}/msglog/${held.id}`
    appendLater(path, lines, this.#open.owner, (error) => {
      held.logWrites--
      if (held.complete && held.logWrites === 0) removeLater(path)
      if (error !== null) this.#open.log(`message log of ${held.id}: ${error.message}`)
    })
  }

  #put(write: IndexWriter, held: Held): void {
    write.put(held.id, this.#entryOf(held), held.indexed ? write.get(held.id) : undefined)
  }

  #entryOf(held: Held): IndexEntry {
    return indexEntry(held.message.envelope, {
      sequence: held.sequence,
      parts: held.parts,
      origins: held.origins,
      bodyFile: held.bodyFile,
      bodySize: held.message.bodySize,
      nextAttemptAt: held.nextAttemptAt,
      reason: held.reason,
      claimedBy: held.claimed ? this.#open.key : '',
    })
  }

  #markChanged(held: Held): void {
    this.#changed.add(held)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        try {
          this.flushIndex(false)
          this.#indexTrouble = false
        } catch (error) {
          this.#indexRefused(error)
        }
      },
      this.#indexTrouble ? indexRetryMs : indexDelayMs,
    )
  }

  /** A full disk, for one. What should be written is kept and tried again. */
  #indexRefused(error: unknown): void {
    if (!this.#indexTrouble) this.#open.log(spoolError(error, 'writing the spool index').message)
    this.#indexTrouble = true
    this.#schedule()
  }

  #journal(): Journal {
    this.#writable()
    const { journal } = this.#open
    if (journal === undefined) throw new SpoolError('read-only', 'the spool was opened for reading')
    return journal
  }

  #writable(): void {
    if (this.#closed) throw new SpoolError('closed', 'the spool is closed')
    if (this.#open.readOnly) throw new SpoolError('read-only', 'the spool was opened for reading')
  }

  #mustHold(held: Held): void {
    if (!held.claimed) throw new SpoolError('closed', `message ${held.id} is not claimed any more`)
  }
}

function messageJson(held: { message: StoredMessage; bodyFile: string }): MessageJson {
  const { envelope, bodySize } = held.message
  return held.bodyFile === '' ? { envelope, bodySize } : { envelope, bodyFile: held.bodyFile, bodySize }
}

/** The segments that hold a message record of it: while one of them exists, its tombstone must. */
function messageSegments(held: { parts: readonly Location[]; origins: readonly string[] }): string[] {
  return [...new Set([...held.parts.slice(0, 1).map(({ segment }) => segment), ...held.origins])]
}

/** Asks once a process, not once an entry. */
function aliveOnce(): (key: string) => boolean {
  const known = new Map<string, boolean>()
  return (key) => {
    let alive = known.get(key)
    if (alive === undefined) known.set(key, (alive = isAlive(key)))
    return alive
  }
}
