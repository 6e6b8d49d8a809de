/**
 * From segments to index: reads the records of a dead process (or of all), and brings the index in step.
 * Records are merged by message id and sequence number, so reading them twice does no harm.
 */
import { basename } from 'node:path'
import { isDamage, readSegmentHead, type RecordType, scanRecords } from './record.ts'
import {
  closeFile,
  fileExists,
  fileInfo,
  fileSize,
  listFolder,
  openFile,
  readAt,
  removeQuietly,
  renameFile,
} from './disk.ts'
import { readSettled } from './folders.ts'
import type { Location, Segment } from './journal.ts'
import { envelopeAfter, parseMessage } from './load.ts'
import { Findings, type Found, type Later } from './findings.ts'
import type { IndexEntry, QueueIndex } from './queue-index.ts'
import { RecordReader } from './record-reader.ts'
import type { SetAside } from './set-aside.ts'
import { indexEntry } from './stored-message.ts'
import type { Envelope } from '../../mail/envelope.ts'

export interface RecoveryHost {
  readonly directory: string
  readonly index: QueueIndex
  readonly setAside: SetAside
}

export interface Recovered {
  readonly segments: readonly Segment[]
  readonly messages: number
  /** Ids of all that are not complete. */
  readonly living: readonly string[]
  /** Ids of what is complete for good. */
  readonly completed: ReadonlySet<string>
}

const chunkMessages = 500
/** Nobody else works with an index that is made anew. */
const chunkOfNew = 2000
/** Characters of message ids, in whose order V8 and LMDB agree. */
const plainIds = /^[\w-]+$/

/**
 * Reads all segments in `folders`.
 * @param fresh true: the index is empty and these are all segments there are
 */
export async function recover(
  host: RecoveryHost,
  folders: readonly string[],
  fresh: boolean,
): Promise<Recovered> {
  const found = new Findings()
  const segments: Segment[] = []
  for (const folder of folders) {
    if (!fileInfo(folder).isDirectory()) {
      host.setAside.strange(folder, basename(folder))
      continue
    }
    const settled = fresh ? new Map<string, Segment>() : noteSettled(folder, found)
    for (const name of listFolder(folder)) {
      const segment = settled.get(name) ?? (await scanSegment(host, folder, name, found))
      if (segment !== undefined) segments.push(segment)
      await nextTurn()
    }
  }
  const bodies = new Set(listFolder(`${host.directory}/bodies`))
  const living = found.living()
  const messages = await mergeMessages(host, segments, found, { living, bodies, fresh })
  mergeTombstones(host, segments, found)
  const completed = new Set(Array.from(found.complete(), ({ id }) => id))
  return { segments, messages, living, completed }
}

/**
 * Segments of which the index knows all need not be read. Their tombstones count: the message may stand in a segment
 * that is read.
 */
function noteSettled(folder: string, found: Findings): Map<string, Segment> {
  const settled = new Map(readSettled(folder))
  for (const [name, { path, size, tombstones }] of settled) {
    // Dropped since, or damaged: then what is there is read.
    if (!fileExists(path) || fileInfo(path).size < size) {
      settled.delete(name)
      continue
    }
    for (const [id, others] of tombstones) found.noteComplete(id, name, others)
  }
  return settled
}

async function scanSegment(
  host: RecoveryHost,
  folder: string,
  fileName: string,
  found: Findings,
): Promise<Segment | undefined> {
  const path = `${folder}/${fileName}`
  if (!/^(?:free-)?[0-9a-f]{16}$/.test(fileName)) {
    if (!/^\.?(?:clean|settled)/.test(fileName)) host.setAside.strange(path, fileName)
    return undefined
  }
  const bytes = await readWhole(path)
  const stamp =
    readSegmentHead(bytes) ?? (fileName.startsWith('free-') ? 'free' : Buffer.from(fileName, 'hex'))
  if (stamp === 'free' || bytes.length === 0) {
    removeQuietly(path)
    return undefined
  }
  // The name of a file used again need not have reached the disk, and it may still be that of a free one; its head has.
  const name = stamp.toString('hex')
  if (name !== fileName) renameFile(path, `${folder}/${name}`)
  let end = 0
  for (const item of scanRecords(bytes, stamp)) {
    end = item.offset + item.length
    if (isDamage(item)) host.setAside.bytes(name, item, bytes.subarray(item.offset, end))
    else found.note(name, item)
  }
  return { name, path: `${folder}/${name}`, size: Math.max(end, 1), tombstones: new Map() }
}

export async function readWhole(path: string): Promise<Buffer> {
  const fd = await openFile(path)
  try {
    return await readAt(fd, 0, await fileSize(fd))
  } finally {
    await closeFile(fd)
  }
}

/** Second reading, of the messages that live: only a few are in memory at a time. */
async function mergeMessages(
  host: RecoveryHost,
  segments: readonly Segment[],
  found: Findings,
  {
    living,
    bodies,
    fresh,
  }: { readonly living: readonly string[]; readonly bodies: ReadonlySet<string>; readonly fresh: boolean },
): Promise<number> {
  const reader = new RecordReader(segments)
  const chunk = fresh ? chunkOfNew : chunkMessages
  const appended = fresh && living.every((id) => plainIds.test(id)) ? new Appended(host.index) : undefined
  const withoutMessage: string[] = []
  let count = 0
  for (let start = 0; start < living.length; start += chunk) {
    const made: Made[] = []
    for (const id of living.slice(start, start + chunk)) {
      const of = found.get(id)
      if (of?.message === undefined) {
        withoutMessage.push(id)
        continue
      }
      const entry = entryFromRecords(await reader.json(of.message), of, of.message)
      // One that the index knows, or knew, may have been completed by another process a moment ago.
      const known = !fresh && (host.index.has(id) || host.index.tombstone(id) !== undefined)
      if (entry.bodyFile !== '' && !known && !bodies.has(entry.bodyFile)) {
        await host.setAside.message(id, entry, `its body file ${entry.bodyFile} is missing`)
      } else made.push([id, entry, of])
    }
    if (appended === undefined) count += putMessages(host, made, fresh)
    else {
      appended.put(made)
      count += made.length
    }
    await nextTurn()
  }
  await appended?.finish()
  if (!fresh) await mergeLater(host, withoutMessage, found)
  return count
}

type Made = readonly [id: string, entry: IndexEntry, of: Found]

/** Fills an empty index in the order of its keys, which LMDB does in half the pages. */
class Appended {
  readonly #index: QueueIndex
  readonly #ids: string[] = []
  #seconds = new Float64Array(1 << 10)

  constructor(index: QueueIndex) {
    this.#index = index
  }

  /** Ids beyond all those of before. */
  put(made: readonly Made[]): void {
    this.#index.transact((write) => {
      for (const [id, entry] of made) {
        const number = this.#ids.push(id) - 1
        if (number >= this.#seconds.length) {
          const longer = new Float64Array(number * 2)
          longer.set(this.#seconds)
          this.#seconds = longer
        }
        this.#seconds[number] = write.append(id, entry)
      }
    })
  }

  async finish(): Promise<void> {
    const seconds = this.#seconds
    const second = (number: number): number => seconds[number] ?? 0
    const order = Uint32Array.from(this.#ids, (_, number) => number)
    if (order.some((number) => number > 0 && second(number - 1) > second(number)))
      order.sort((a, b) => second(a) - second(b) || a - b)
    for (let start = 0; start < order.length; start += chunkOfNew) {
      this.#index.transact((write) => {
        for (const number of order.subarray(start, start + chunkOfNew))
          write.appendDue(second(number), this.#ids[number] ?? '')
      })
      await nextTurn()
    }
  }
}

function putMessages(host: RecoveryHost, made: readonly Made[], fresh: boolean): number {
  let count = 0
  host.index.transact((write) => {
    for (const [id, entry, of] of made) {
      const old = fresh ? undefined : write.get(id)
      if (old === undefined) {
        // Not in the index and completed by another process: its tombstone is there.
        if (!fresh && write.tombstone(id) !== undefined) continue
        write.put(id, entry, undefined)
        count++
        continue
      }
      // A copy that the index had not heard of stands for all before it; else only what came later counts.
      const isCopy = (of.message?.sequence ?? 0) > old.sequence
      const later = sorted(of.later).filter(({ sequence }) => sequence > old.sequence)
      if (isCopy) write.put(id, mergeEntries(old, entry), old)
      else if (later.length > 0) write.put(id, entryAfter(old, later), old)
    }
  })
  return count
}

/** What a dead process recorded of messages that stand in the segments of others. */
async function mergeLater(host: RecoveryHost, ids: readonly string[], found: Findings): Promise<void> {
  for (let start = 0; start < ids.length; start += chunkMessages) {
    host.index.transact((write) => {
      for (const id of ids.slice(start, start + chunkMessages)) {
        const old = write.get(id)
        const later = sorted(found.get(id)?.later ?? []).filter(
          ({ sequence }) => sequence > (old?.sequence ?? 0),
        )
        if (old === undefined || later.length === 0) continue
        write.put(id, entryAfter(old, later), old)
      }
    })
    await nextTurn()
  }
}

function mergeTombstones(host: RecoveryHost, segments: readonly Segment[], found: Findings): void {
  const byName = new Map(segments.map((segment) => [segment.name, segment]))
  host.index.transact((write) => {
    for (const { id, segment, others } of found.complete()) {
      const old = write.get(id)
      if (old !== undefined) write.remove(id, old)
      if (others.length === 0) continue
      byName.get(segment)?.tombstones.set(id, others)
      write.putTombstone(id, segment, others)
    }
  })
}

/** @param json of the message record */
export function entryFromRecords(
  json: Buffer,
  of: Found,
  place: Location & { readonly sequence: number },
): IndexEntry {
  const message = parseMessage({ json })
  let envelope: Envelope = message.envelope
  let { sequence } = place
  const { segment, offset, length } = place
  let parts: Location[] = [{ segment, offset, length }]
  for (const later of sorted(of.later)) {
    if (later.sequence <= sequence) continue
    sequence = later.sequence
    envelope = envelopeAfter(envelope, later)
    parts = later.type === 'update' ? [...parts.slice(0, 1), later.location] : [...parts, later.location]
  }
  return indexEntry(envelope, {
    sequence,
    parts,
    origins:
      of.origins.length === 0 ? of.origins : [...new Set(of.origins)].filter((name) => name !== segment),
    bodyFile: message.bodyFile ?? '',
    bodySize: message.bodySize,
    nextAttemptAt: envelope.receivedAt,
    reason: '',
    claimedBy: '',
  })
}

/** A newer message record of a dead process, beside what the index knew: claims do not carry over. */
function mergeEntries(old: IndexEntry, entry: IndexEntry): IndexEntry {
  const origins = new Set([
    ...old.origins,
    ...entry.origins,
    ...old.parts.slice(0, 1).map(({ segment }) => segment),
  ])
  origins.delete(entry.parts[0]?.segment ?? '')
  return { ...entry, origins: [...origins], nextAttemptAt: old.nextAttemptAt, reason: old.reason }
}

function entryAfter(old: IndexEntry, later: readonly Later[]): IndexEntry {
  let entry = old
  for (const { type, json, location, sequence } of later) {
    const parts = type === 'update' ? [...entry.parts.slice(0, 1), location] : [...entry.parts, location]
    entry = { ...applyToEntry(entry, type, json), parts, sequence, claimedBy: '' }
  }
  return entry
}

/** An entry knows less than an envelope, but all that can change and is listed. */
function applyToEntry(entry: IndexEntry, type: RecordType, json: string): IndexEntry {
  const bare: Envelope = {
    id: '',
    receivedAt: entry.receivedAt,
    receiveMs: 0,
    originator: { login: entry.login, uid: 0, gid: 0 },
    ...(entry.login === '' ? {} : { senderSetUntrusted: true }),
    sender: entry.sender,
    recipients: entry.recipients.map((address) => ({ address })),
    headers: [{ type: ' ', text: ' '.repeat(entry.size - entry.bodySize) }],
    protocol: '',
    local: entry.local,
    bodyLines: 0,
    bodyZeros: 0,
    bodySize: entry.bodySize,
    maxReceivedLineLength: 0,
    firstDelivery: entry.firstDelivery,
    done: entry.done,
    ...(entry.queueName === '' ? {} : { queueName: entry.queueName }),
    ...(entry.frozenAt === undefined ? {} : { frozenAt: entry.frozenAt }),
  }
  const after = indexEntry(envelopeAfter(bare, { type, json }), { ...entry })
  return { ...after, login: entry.login }
}

function sorted(later: readonly Later[]): readonly Later[] {
  return later.length < 2 ? later : later.toSorted((a, b) => a.sequence - b.sequence)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
