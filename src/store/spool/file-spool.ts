/** The spool at work: commits, claims, marks, the listing. Opening and recovery are in files of their own. */
import { createMessageIds } from '../../base/message-id.ts'
import type { ByteString } from '../../base/text.ts'
import type { Envelope } from '../../mail/envelope.ts'
import {
  type Claim,
  type FrozenRow,
  type IncomingMessage,
  type ListedRow,
  type MessageUpdate,
  type QueueEntry,
  type QueueQuery,
  type Spool,
  SpoolError,
  type SpooledMessage,
} from './api.ts'
import { freeSpace, readSmallFile, removeLater, spoolError, syncFolder } from './disk.ts'
import { newHeld, type Held, HeldMessages, messageJson, messageSegments } from './held.ts'
import { type CommittedBody, Incoming, type IncomingHost } from './incoming.ts'
import type { Journal } from './journal.ts'
import type { OpenSpool } from './opening.ts'
import { isAlive } from './process-key.ts'
import { type IndexEntry, listedRow, queueEntry } from './queue-index.ts'
import { loadMessage } from './load.ts'
import { mustBeKept, StoredMessage, updateEnvelope } from './stored-message.ts'
import { SyncGroup } from '../../base/sync-group.ts'
import { merged, type Unindexed } from './unindexed.ts'

const messageLogLimit = 4 << 20
/** A message with more records than this gets one that stands for all updates before it. */
const partsLimit = 16

/** Frozen messages that a queue run leaves without a turn of others between. */
const mostLeftAtOnce = 200

/** Asked for at every MAIL: with so much free it is not asked more often than this. */
const plentyBytes = 2 ** 30
const spaceIsKnownMs = 500

export class FileSpool implements Spool {
  readonly directory: string
  readonly #open: OpenSpool
  readonly #nextId: () => string
  readonly #host: IncomingHost
  readonly #held: HeldMessages
  #closing = false
  #space = { freeBytes: 0, freeInodes: 0, at: 0 }
  #closed = false

  constructor(opened: OpenSpool) {
    this.#open = opened
    this.directory = opened.directory
    this.#held = new HeldMessages(opened)
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
    return this.#open.setAside.list
  }

  begin(options?: { readonly sizeHint?: number; readonly id?: string }): IncomingMessage {
    this.#writable()
    let id = options?.id ?? this.#nextId()
    // A clock set back over a restart could name a message that is still here.
    while (options?.id === undefined && (this.#held.get(id) !== undefined || this.#open.index.has(id)))
      id = this.#nextId()
    return new Incoming(id, this.#host, options?.sizeHint)
  }

  claimCommitted(message: SpooledMessage): Claim | undefined {
    this.#writable()
    if (this.#mayNotDeliver()) return undefined
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
    if (found.sequence === 1) return this.#hold(found, message)
    this.#held.inIndex(() => this.#giveBack(message.id))
    return undefined
  }

  async claim(id: string): Promise<Claim | undefined> {
    this.#writable()
    if (this.#mayNotDeliver()) return undefined
    const known = this.#held.get(id)
    if (known !== undefined && !known.indexed) {
      if (known.claimed) return undefined
      known.claimed = true
      return this.#claimOf(known)
    }
    if (known !== undefined || this.#held.isCompleted(id)) this.#held.tryFlush(true)
    if (this.#held.get(id) !== undefined || this.#held.isCompleted(id)) return undefined
    for (let attempt = 0; attempt < 3; attempt++) {
      const found = this.#claimInIndex(id)
      if (found === undefined) return undefined
      if (!('deadOwner' in found)) return this.#take(id, found)
      try {
        await this.#open.adoptDead()
      } catch (error) {
        this.#open.log(`spool: ${spoolError(error, 'taking over from a process that died').message}`)
        return undefined
      }
    }
    return undefined
  }

  async read(id: string): Promise<SpooledMessage | undefined> {
    const held = this.#held.get(id)
    if (held !== undefined) return held.message
    for (let attempt = 0; attempt < 3; attempt++) {
      this.#open.index.refresh()
      const entry = this.#held.isCompleted(id) ? undefined : this.#entry(id)
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
    this.#held.tryFlush(true)
    this.#open.index.refresh()
    const entry = this.#entry(id)
    return entry === undefined ? undefined : queueEntry(id, entry, aliveOnce())
  }

  #entry(id: string): IndexEntry | undefined {
    const { index, unindexed } = this.#open
    return index.get(id) ?? unindexed.get(id, index)
  }

  /** What the index has not heard of yet; only for who looks, others know their own. */
  #unindexed(queueName?: string): readonly Unindexed[] {
    const found = this.#open.unindexed.list(this.#open.index)
    return queueName === undefined ? found : found.filter(({ entry }) => entry.queueName === queueName)
  }

  *listUnless(leaves: (row: FrozenRow) => boolean, query: QueueQuery): Generator<QueueEntry | undefined> {
    this.#held.tryFlush(true)
    const { index } = this.#open
    index.refresh()
    if (this.#oneByOne(query) !== undefined || this.#unindexed().length > 0) {
      let left = 0
      for (const entry of this.list(query)) {
        const { id, receivedAt, sender, frozenAt, claimedBy } = entry
        if (
          frozenAt === undefined ||
          claimedBy !== undefined ||
          !leaves({ id, receivedAt, sender, frozenAt })
        )
          yield entry
        else if (++left % mostLeftAtOnce === 0) yield undefined
      }
      return
    }
    const alive = aliveOnce()
    for (const row of index.rangeUnless(leaves, query)) {
      if (row === undefined) yield undefined
      else if (isWanted(row.id, row.entry, query)) yield queueEntry(row.id, row.entry, alive)
    }
  }

  /** So few are due that they are looked up one by one: at this time. Undefined: all are looked at. */
  #oneByOne({ dueAt, order }: QueueQuery): number | undefined {
    if (dueAt === undefined || (order !== 'arrival' && this.#open.index.mostAreDue(dueAt))) return undefined
    return dueAt
  }

  *list(query: QueueQuery = {}): Generator<QueueEntry> {
    this.#held.tryFlush(true)
    const { index } = this.#open
    index.refresh()
    const alive = aliveOnce()
    const dueAt = this.#oneByOne(query)
    if (dueAt === undefined) {
      const rows = index.range(query.from, query.to)
      const added = this.#unindexed()
      for (const { id, entry } of added.length === 0 ? rows : merged(rows, added)) {
        if (isWanted(id, entry, query)) yield queueEntry(id, entry, alive)
      }
      return
    }
    const added = this.#unindexed().map(({ id }) => id)
    let ids: Iterable<string> = added.length === 0 ? index.due(dueAt) : [...index.due(dueAt), ...added]
    if (query.order === 'arrival') ids = [...ids].sort()
    for (const id of ids) {
      const entry = this.#entry(id)
      if (entry !== undefined && isWanted(id, entry, query)) yield queueEntry(id, entry, alive)
    }
  }

  page(after: string | undefined, rows: number): readonly ListedRow[] {
    if (after === undefined) this.#held.tryFlush(true)
    const { index } = this.#open
    index.refresh()
    const page = index.page(after, rows)
    const last = page.length < rows ? undefined : page.at(-1)?.id
    const added = this.#unindexed()
      .filter(({ id }) => (after === undefined || id > after) && (last === undefined || id <= last))
      .map(({ id, entry }) => listedRow(id, entry))
    return added.length === 0 ? page : [...page, ...added].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  count(queueName?: string): number {
    return this.#indexed(queueName) + this.#unindexed(queueName).length
  }

  #indexed(queueName: string | undefined): number {
    if (queueName === '') {
      // The rest of all is in the queue without a name.
      this.#held.tryFlush(true)
      return this.#open.index.count() - this.#open.index.countNamed()
    }
    if (queueName !== undefined) {
      this.#held.tryFlush(true)
      return this.#open.index.countQueue(queueName)
    }
    return this.#open.index.count() + this.#held.uncounted
  }

  takeOver(): Promise<void> {
    return this.#closing || this.#open.readOnly ? Promise.resolve() : this.#open.adoptDead()
  }

  space(): { readonly freeBytes: number; readonly freeInodes: number } {
    const now = performance.now()
    if (now - this.#space.at > spaceIsKnownMs || this.#space.freeBytes < plentyBytes)
      this.#space = { ...freeSpace(this.directory), at: now }
    return this.#space
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    await this.#open.stopCare()
    this.#closed = true
    await this.#open.journal?.settle()
    let clean = true
    try {
      if (!this.#open.readOnly) this.#held.close()
      await this.#held.logsWritten()
    } catch (error) {
      clean = false
      this.#open.log(spoolError(error, 'closing the spool').message)
    }
    await this.#open.close(clean)
  }

  /** True while a message of this process needs a segment that the index does not know of. */
  needsSegment(name: string): boolean {
    return this.#held.needsSegment(name)
  }

  /** True when the index knows all that a segment of this process says. */
  isSettled(name: string): boolean {
    return this.#held.isSettled(name)
  }

  /** Brings the index up to date, but for messages that may be completed any moment. */
  flushIndex(): void {
    this.#held.tryFlush(false)
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
    const sequence = ++held.sequence
    const location = await this.#journal().append({ type: 'message', id: held.id, sequence, json, body })
    held.recorded = { sequence, envelope: json.envelope }
    held.origins = messageSegments(held).filter((name) => name !== location.segment)
    held.parts = [location]
    this.#held.change(held)
  }

  async #commit(incoming: CommittedBody, envelope: Envelope): Promise<SpooledMessage> {
    const { place } = incoming
    const message = new StoredMessage(incoming.id, envelope, place)
    const held = newHeld(message, incoming.bodyFile)
    const location = await this.#journal().append({
      type: 'message',
      id: held.id,
      sequence: 1,
      json: messageJson(held),
      body: place.is === 'memory' ? place.bytes : undefined,
    })
    held.parts = [location]
    this.#held.add(held)
    this.#open.crashPoint('message-committed')
    return message
  }

  /** Undefined too when the index cannot be written: the message stays in the queue, for a later attempt. */
  #claimInIndex(id: string): IndexEntry | { readonly deadOwner: string } | undefined {
    return this.#held.inIndex(() =>
      this.#open.index.transact((write) => {
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
      }),
    )
  }

  #giveBack(id: string): void {
    this.#open.index.transact((write) => {
      const entry = write.get(id)
      if (entry?.claimedBy === this.#open.key) write.put(id, { ...entry, claimedBy: '' }, entry)
    })
  }

  async #take(id: string, entry: IndexEntry): Promise<Claim | undefined> {
    let doing = `reading message ${id}`
    try {
      const load = (): Promise<StoredMessage | string> =>
        loadMessage(this.directory, this.#open.reader, id, entry)
      let message = await load()
      // A segment that is handed to another process while it is looked for is in no folder, as it seems.
      if (typeof message === 'string') message = await this.#open.locked(load)
      if (typeof message !== 'string') return this.#hold(entry, message)
      doing = `setting ${id} aside`
      await this.#open.dropDamaged(id, entry, message)
    } catch (error) {
      // No descriptor is left, for one: the message is for a later attempt, of whatever process.
      this.#open.log(`spool: ${spoolError(error, doing).message}`)
      this.#held.inIndex(() => this.#giveBack(id))
    }
    return undefined
  }

  #hold(entry: IndexEntry, message: StoredMessage): Claim {
    const held = newHeld(message, entry.bodyFile, entry)
    this.#held.add(held)
    return this.#claimOf(held)
  }

  #claimOf(held: Held): Claim {
    return {
      id: held.id,
      get message() {
        return held.message
      },
      record: (update) => this.#record(held, update),
      log: (line) => this.#held.logLine(held, line.endsWith('\n') ? line : `${line}\n`),
      complete: ({ keepLog = false } = {}) => {
        held.keepLog = keepLog
        return this.#complete(held)
      },
      release: () => {
        if (held.claimed) this.#held.release(held)
      },
    }
  }

  async #record(held: Held, update: MessageUpdate): Promise<void> {
    this.#mustHold(held)
    held.message = held.message.with(updateEnvelope(held.message.envelope, update))
    held.nextAttemptAt = update.nextAttemptAt ?? held.nextAttemptAt
    held.reason = update.reason ?? held.reason
    if (mustBeKept(update)) {
      const sequence = ++held.sequence
      const { envelope } = held.message
      const whole = held.parts.length >= partsLimit
      const json = whole ? envelope : update
      const location = await this.#journal().append({
        type: whole ? 'update' : 'mark',
        id: held.id,
        sequence,
        json,
      })
      this.#open.crashPoint('mark-recorded')
      held.recorded = { sequence, envelope }
      held.parts = whole ? [...held.parts.slice(0, 1), location] : [...held.parts, location]
    }
    this.#held.change(held)
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
    const others = segments.filter((name) => name !== location.segment)
    if (others.length > 0) this.#journal().segment(location.segment)?.tombstones.set(held.id, others)
    this.#held.complete(held, location.segment, others)
    if (held.bodyFile !== '') removeLater(`${this.#host.bodies}/${held.bodyFile}`)
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

  /** What cannot be recorded must not be done: each queue run would deliver it again. */
  #mayNotDeliver(): boolean {
    return this.#open.journal?.failure !== undefined
  }

  #mustHold(held: Held): void {
    if (!held.claimed) throw new SpoolError('closed', `message ${held.id} is not claimed any more`)
  }
}

function isWanted(id: string, entry: IndexEntry, { queueName, dueAt, from, to }: QueueQuery): boolean {
  return (
    (queueName === undefined || entry.queueName === queueName) &&
    (dueAt === undefined || entry.nextAttemptAt <= dueAt) &&
    (from === undefined || id >= from) &&
    (to === undefined || id <= to)
  )
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
