/**
 * The index beside the segments, in LMDB: what is in the queue, where its records stand, who works on it.
 * It can always be made anew from the segments, so it is never synced and never the only copy of anything.
 */
import { type Database, open, type RootDatabase } from 'lmdb'
import { LmdbRoom, prepareLmdbFolder, readNewest, writeTransaction } from '../lmdb-room.ts'
import { mapBytesFor } from '../map-room.ts'
import type { FrozenRow, ListedRow, QueueEntry, QueueQuery } from './api.ts'
import type { Location } from './journal.ts'
import { RowReader } from './listed-row.ts'

/** What the index knows of a message. */
export interface IndexEntry {
  readonly receivedAt: number
  readonly size: number
  readonly sender: string
  readonly local: boolean
  readonly firstDelivery: boolean
  readonly frozenAt: number | undefined
  readonly recipients: readonly string[]
  readonly done: readonly string[]
  readonly queueName: string
  readonly nextAttemptAt: number
  /** Key of the process that works on it; empty: none. */
  readonly claimedBy: string
  readonly reason: string
  readonly login: string
  /** Of the newest record. */
  readonly sequence: number
  /** The message record, then what was recorded since. */
  readonly parts: readonly Location[]
  /** Older segments that still speak of it: copies of the message were made from there. */
  readonly origins: readonly string[]
  /** The file of a large body. */
  readonly bodyFile: string
  readonly bodySize: number
}

/** As it is stored: an array is smaller and quicker than an object with names. */
type Row = [
  receivedAt: number,
  size: number,
  sender: string,
  flags: number,
  frozenAt: number,
  recipients: readonly string[],
  done: readonly string[],
  queueName: string,
  nextAttemptAt: number,
  claimedBy: string,
  reason: string,
  login: string,
  sequence: number,
  parts: (string | number)[],
  origins: readonly string[],
  bodyFile: string,
  bodySize: number,
]

/** Rows read at once: no read transaction stays open while the taker waits. */
const rangeRows = 256

/** Bytes of a small row with its key. */
const smallRow = 128

const behind = { append: true }

const flagLocal = 1
const flagFirstDelivery = 2
const flagFrozen = 4

/** References from the index to a segment: messages and bytes of theirs. */
interface SegmentUse {
  messages: number
  bytes: number
}

/** The first key of the next second. */
function dueEnd(at: number): [number, string] {
  return [Math.floor(at / 1000) + 1, '']
}

export class QueueIndex {
  readonly #root: RootDatabase<unknown, string>
  /** Undefined when the index is only read. */
  readonly #room: LmdbRoom | undefined
  readonly #entries: Database<Row, string>
  /** The same, undecoded. */
  #bytes: Database<Buffer, string> | undefined
  /** [time in seconds, id] of the next attempt. */
  readonly #due: Database<number, [number, string]>
  readonly #segments: Database<[messages: number, bytes: number], string>
  readonly #queues: Database<number, string>
  /** Up to where the index has heard of all messages of a segment. Undefined in an older index that is only read. */
  readonly #told: Database<number, string> | undefined
  /** Messages completed by a tombstone in another segment than their own: id to [segment, ...others]. */
  readonly #tombstones: Database<string[], string>

  private constructor(root: RootDatabase<unknown, string>, room: LmdbRoom | undefined) {
    this.#root = root
    this.#room = room
    this.#entries = root.openDB({ name: 'entries' })
    this.#due = root.openDB({ name: 'due' })
    this.#segments = root.openDB({ name: 'segments' })
    this.#queues = root.openDB({ name: 'queues' })
    this.#tombstones = root.openDB({ name: 'tombstones' })
    this.#told = root.openDB({ name: 'told' })
  }

  /** Address space for the index in a folder: only that, as the file grows while it is filled. */
  static mapBytes(folder: string): number {
    return mapBytesFor(`${folder}/data.mdb`, 64 * 2 ** 30)
  }

  /** Opens or makes the index in a folder. Throws when LMDB finds it unusable. */
  static open(folder: string, readOnly: boolean, mapBytes: number = QueueIndex.mapBytes(folder)): QueueIndex {
    if (!readOnly) prepareLmdbFolder(folder)
    const root = open<unknown, string>({
      path: folder,
      noSubdir: false,
      noSync: true,
      readOnly,
      mapSize: mapBytes,
      maxReaders: 1000,
    })
    if (readOnly) return new QueueIndex(root, undefined)
    const room = new LmdbRoom(`${folder}/data.mdb`)
    return writeTransaction(root, room, () => new QueueIndex(root, room))
  }

  async close(): Promise<void> {
    this.#room?.close()
    await this.#root.close()
  }

  /** Lets the next reads see what other processes wrote. */
  refresh(): void {
    if (this.#room === undefined) this.#root.resetReadTxn()
    else readNewest(this.#root, this.#room)
  }

  has(id: string): boolean {
    return this.#entries.doesExist(id)
  }

  get(id: string): IndexEntry | undefined {
    const row = this.#entries.get(id)
    return row === undefined ? undefined : fromRow(row)
  }

  count(): number {
    const stats: unknown = this.#entries.getStats()
    if (typeof stats === 'object' && stats !== null && 'entryCount' in stats) return Number(stats.entryCount)
    return this.#entries.getCount()
  }

  /** Messages in a named queue. */
  countQueue(name: string): number {
    return this.#queues.get(name) ?? 0
  }

  /** Messages in all named queues. */
  countNamed(): number {
    let sum = 0
    for (const { value } of this.#queues.getRange({ snapshot: false })) sum += value
    return sum
  }

  /** Entries in the order of their ids, both ends included. The taker may wait between them. */
  *range(from: string | undefined, to: string | undefined): Generator<{ id: string; entry: IndexEntry }> {
    let last: string | undefined
    for (;;) {
      const start = last ?? from
      const rows = Array.from(
        this.#entries.getRange({
          ...(start === undefined ? {} : { start }),
          ...(to === undefined ? {} : { end: to, inclusiveEnd: true }),
          exclusiveStart: last !== undefined,
          limit: rangeRows,
        }),
        ({ key, value }) => ({ id: key, entry: fromRow(value) }),
      )
      yield* rows
      last = rows.at(-1)?.id
      if (rows.length < rangeRows) return
    }
  }

  /** As `range`, without the frozen messages that nobody works on and `leaves` says true to. Undefined: so many rows have been looked at. */
  *rangeUnless(
    leaves: (row: FrozenRow) => boolean,
    { from, to, queueName, dueAt = Infinity }: QueueQuery,
  ): Generator<{ id: string; entry: IndexEntry } | undefined> {
    const reader = new RowReader()
    let after: string | undefined
    for (;;) {
      let rows = 0
      const others: string[] = []
      for (const { key, value } of this.#undecoded(after ?? from, after !== undefined, rangeRows, to)) {
        rows++
        after = key
        const row = reader.frozen(key, value, queueName, dueAt)
        if (row === undefined || !leaves(row)) others.push(key)
      }
      for (const id of others) {
        const entry = this.get(id)
        if (entry !== undefined) yield { id, entry }
      }
      if (rows < rangeRows) return
      yield undefined
    }
  }

  #undecoded(
    start: string | undefined,
    exclusiveStart: boolean,
    limit: number,
    end?: string,
  ): Iterable<{ key: string; value: Buffer }> {
    const bytes = (this.#bytes ??= this.#root.openDB<Buffer, string>(undecoded))
    return bytes.getRange({
      ...(start === undefined ? {} : { start, exclusiveStart }),
      ...(end === undefined ? {} : { end, inclusiveEnd: true }),
      limit,
    })
  }

  /** Rows for a listing, after an id, in the order of ids. */
  page(after: string | undefined, limit: number): ListedRow[] {
    const range = this.#undecoded(after, true, limit)
    const rows: ListedRow[] = []
    const reader = new RowReader()
    const strange: string[] = []
    for (const { key, value } of range) {
      const row = reader.read(key, value)
      if (row === undefined) strange.push(key)
      else rows.push(row)
    }
    if (strange.length === 0) return rows
    for (const id of strange) {
      const entry = this.get(id)
      if (entry !== undefined) rows.push(listedRow(id, entry))
    }
    return rows.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Whether so many are due at a time that to look at all entries in their order is quicker than to look each of these up. */
  mostAreDue(at: number): boolean {
    return this.#due.getKeysCount({ end: dueEnd(at) }) * 4 > this.count()
  }

  /** Ids whose next attempt is due at a time (milliseconds since 1970), soonest first. */
  *due(at: number): Generator<string> {
    const end = dueEnd(at)
    let last: [number, string] | undefined
    for (;;) {
      const rows: [number, string][] = Array.from(
        this.#due.getKeys({
          ...(last === undefined ? {} : { start: last }),
          end,
          exclusiveStart: last !== undefined,
          limit: rangeRows,
        }),
      )
      for (const [, id] of rows) yield id
      last = rows.at(-1)
      if (rows.length < rangeRows) return
    }
  }

  segmentUse(name: string): SegmentUse {
    const row = this.#segments.get(name)
    return { messages: row?.[0] ?? 0, bytes: row?.[1] ?? 0 }
  }

  tombstone(id: string): string[] | undefined {
    return this.#tombstones.get(id)
  }

  /** Records of a segment from here on may speak of messages that the index has not heard of. */
  toldUpTo(segment: string): number {
    return this.#told?.get(segment) ?? 0
  }

  /**
   * All changes made by `change` happen at once, for every process; nothing in it may wait.
   * Throws, with the system's code, when the disk has no room for them: then none has happened.
   */
  transact<T>(change: (write: IndexWriter) => T): T {
    const room = this.#room
    const told = this.#told
    if (room === undefined || told === undefined) throw new Error('the index was opened for reading')
    return writeTransaction(this.#root, room, () => {
      const writer = new IndexWriter(
        room,
        this.#entries,
        this.#due,
        this.#segments,
        this.#queues,
        this.#tombstones,
        told,
      )
      const result = change(writer)
      writer.finish()
      return result
    })
  }
}

/** Changes within one transaction. Keeps the counts of segments and queues in step with the entries. */
export class IndexWriter {
  readonly #room: LmdbRoom
  readonly #entries: Database<Row, string>
  readonly #due: Database<number, [number, string]>
  readonly #segments: Database<[number, number], string>
  readonly #queues: Database<number, string>
  readonly #tombstones: Database<string[], string>
  readonly #told: Database<number, string>
  readonly #segmentChanges = new Map<string, SegmentUse>()
  readonly #queueChanges = new Map<string, number>()

  constructor(
    room: LmdbRoom,
    entries: Database<Row, string>,
    due: Database<number, [number, string]>,
    segments: Database<[number, number], string>,
    queues: Database<number, string>,
    tombstones: Database<string[], string>,
    told: Database<number, string>,
  ) {
    this.#room = room
    this.#entries = entries
    this.#due = due
    this.#segments = segments
    this.#queues = queues
    this.#tombstones = tombstones
    this.#told = told
  }

  get(id: string): IndexEntry | undefined {
    const row = this.#entries.get(id)
    return row === undefined ? undefined : fromRow(row)
  }

  /** Puts an entry in the place of `old`, which must be what `get` gave in this transaction. */
  put(id: string, entry: IndexEntry, old: IndexEntry | undefined): void {
    this.#count(old, -1)
    this.#count(entry, 1)
    const dueBefore = old === undefined ? undefined : dueSecond(old)
    this.#room.add(rowBytes(id, entry))
    if (dueBefore !== dueSecond(entry)) {
      this.#room.add(smallRow)
      this.#room.add(smallRow)
      if (dueBefore !== undefined) this.#due.removeSync([dueBefore, id])
      this.#due.putSync([dueSecond(entry), id], 0)
    }
    this.#entries.putSync(id, toRow(entry))
  }

  /** Puts an entry behind all there are; its next attempt is left to `appendDue`, and given back in seconds. */
  append(id: string, entry: IndexEntry): number {
    this.#count(entry, 1)
    this.#room.append(rowBytes(id, entry))
    this.#entries.putSync(id, toRow(entry), behind)
    return dueSecond(entry)
  }

  /** Behind all other attempts that are known. */
  appendDue(second: number, id: string): void {
    this.#room.append(smallRow)
    this.#due.putSync([second, id], 0, behind)
  }

  remove(id: string, old: IndexEntry): void {
    this.#count(old, -1)
    this.#room.add(smallRow)
    this.#room.add(smallRow)
    this.#due.removeSync([dueSecond(old), id])
    this.#entries.removeSync(id)
  }

  tombstone(id: string): string[] | undefined {
    return this.#tombstones.get(id)
  }

  putTombstone(id: string, segment: string, others: readonly string[]): void {
    this.#room.add(smallRow + others.length * smallRow)
    this.#tombstones.putSync(id, [segment, ...others])
  }

  putTold(segment: string, offset: number): void {
    this.#room.add(smallRow)
    this.#told.putSync(segment, offset)
  }

  removeTold(segment: string): void {
    this.#room.add(smallRow)
    this.#told.removeSync(segment)
  }

  removeTombstone(id: string): void {
    this.#room.add(smallRow)
    this.#tombstones.removeSync(id)
  }

  finish(): void {
    for (const [name, change] of this.#segmentChanges) {
      if (change.messages === 0 && change.bytes === 0) continue
      this.#room.add(smallRow)
      const before = this.#segments.get(name)
      const messages = (before?.[0] ?? 0) + change.messages
      if (messages <= 0) this.#segments.removeSync(name)
      else this.#segments.putSync(name, [messages, (before?.[1] ?? 0) + change.bytes])
    }
    for (const [name, change] of this.#queueChanges) {
      this.#room.add(smallRow)
      const count = (this.#queues.get(name) ?? 0) + change
      if (count <= 0) this.#queues.removeSync(name)
      else this.#queues.putSync(name, count)
    }
  }

  #count(entry: IndexEntry | undefined, sign: 1 | -1): void {
    if (entry === undefined) return
    const { parts } = entry
    for (const [i, part] of parts.entries()) {
      let change = this.#segmentChanges.get(part.segment)
      if (change === undefined) this.#segmentChanges.set(part.segment, (change = { messages: 0, bytes: 0 }))
      change.bytes += sign * part.length
      // Of several records in one segment the first counts the message.
      if (parts.findIndex(({ segment }) => segment === part.segment) === i) change.messages += sign
    }
    if (entry.queueName !== '') {
      this.#queueChanges.set(entry.queueName, (this.#queueChanges.get(entry.queueName) ?? 0) + sign)
    }
  }
}

/** Gives the bytes of a row, which count until the next one is read. */
const undecoded = {
  name: 'entries',
  create: false,
  encoder: {
    encode(): never {
      throw new Error('entries are not written as bytes')
    },
    decode: (bytes: Buffer): Buffer => bytes,
  },
}

/** A listing's view of an entry. */
export function listedRow(id: string, entry: IndexEntry): ListedRow {
  const { receivedAt, size, sender, recipients, done, queueName, login, frozenAt } = entry
  return { id, receivedAt, size, sender, frozen: frozenAt !== undefined, recipients, done, queueName, login }
}

const nothing: readonly string[] = []

/**
 * The queue listing's view of an entry. Written plainly, without spreading: a listing makes a million of them.
 * Of 20,000 frozen messages `-bp` takes 0.26 s of processor time, half of it for starting; before 0.38 s.
 */
export function queueEntry(id: string, entry: IndexEntry, alive: (key: string) => boolean): QueueEntry {
  const { done, recipients, frozenAt } = entry
  let generated = nothing
  let isDone: (address: string) => boolean = () => false
  if (done.length > 0) {
    const set = new Set(done)
    isDone = (address) => set.has(address)
    const addresses = new Set(recipients)
    generated = done.filter((address) => !addresses.has(address) && !/^\\[12]\\/.test(address))
  }
  const seen: { -readonly [Name in keyof QueueEntry]: QueueEntry[Name] } = {
    id,
    receivedAt: entry.receivedAt,
    size: entry.size,
    sender: entry.sender,
    frozen: frozenAt !== undefined,
    local: entry.local,
    recipients: recipients.map((address) => ({ address, done: isDone(address) })),
    generated,
    queueName: entry.queueName,
    nextAttemptAt: entry.nextAttemptAt,
    firstDelivery: entry.firstDelivery,
  }
  if (frozenAt !== undefined) seen.frozenAt = frozenAt
  if (entry.claimedBy !== '' && alive(entry.claimedBy)) seen.claimedBy = Number.parseInt(entry.claimedBy, 10)
  if (entry.reason !== '') seen.reason = entry.reason
  if (entry.login !== '') seen.login = entry.login
  return seen
}

/** At least the bytes of an entry's row with its key. */
function rowBytes(id: string, entry: IndexEntry): number {
  let bytes = 512 + id.length + entry.sender.length + entry.reason.length + entry.login.length
  bytes += entry.queueName.length + entry.bodyFile.length + entry.claimedBy.length
  for (const texts of [entry.recipients, entry.done, entry.origins])
    for (const text of texts) bytes += 8 + 2 * text.length
  return bytes + entry.parts.length * smallRow
}

function dueSecond(entry: IndexEntry): number {
  return Math.floor(entry.nextAttemptAt / 1000)
}

function toRow(entry: IndexEntry): Row {
  const flags =
    (entry.local ? flagLocal : 0) |
    (entry.firstDelivery ? flagFirstDelivery : 0) |
    (entry.frozenAt === undefined ? 0 : flagFrozen)
  return [
    entry.receivedAt,
    entry.size,
    entry.sender,
    flags,
    entry.frozenAt ?? 0,
    entry.recipients,
    entry.done,
    entry.queueName,
    entry.nextAttemptAt,
    entry.claimedBy,
    entry.reason,
    entry.login,
    entry.sequence,
    entry.parts.flatMap(({ segment, offset, length }) => [segment, offset, length]),
    entry.origins,
    entry.bodyFile,
    entry.bodySize,
  ]
}

function fromRow(row: Row): IndexEntry {
  const flags = row[3]
  const parts: Location[] = []
  for (let i = 0; i + 2 < row[13].length; i += 3) {
    parts.push({
      segment: String(row[13][i]),
      offset: Number(row[13][i + 1]),
      length: Number(row[13][i + 2]),
    })
  }
  return {
    receivedAt: row[0],
    size: row[1],
    sender: row[2],
    local: (flags & flagLocal) !== 0,
    firstDelivery: (flags & flagFirstDelivery) !== 0,
    frozenAt: (flags & flagFrozen) === 0 ? undefined : row[4],
    recipients: row[5],
    done: row[6],
    queueName: row[7],
    nextAttemptAt: row[8],
    claimedBy: row[9],
    reason: row[10],
    login: row[11],
    sequence: row[12],
    parts,
    origins: row[14],
    bodyFile: row[15],
    bodySize: row[16],
  }
}
