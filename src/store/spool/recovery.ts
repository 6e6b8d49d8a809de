/**
 * From segments to index: reads the records of a dead process (or of all), and brings the index in step.
 * Records are merged by message id and sequence number, so reading them twice does no harm.
 */
import { basename } from 'node:path'
import { isDamage, readSegmentHead, type RecordView, scanRecords } from './record.ts'
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
import type { IndexEntry, QueueIndex } from './queue-index.ts'
import type { SetAside } from './set-aside.ts'
import { indexEntry } from './stored-message.ts'
import type { Envelope } from '../../mail/envelope.ts'

/** What the segments say of one message. */
export interface Found {
  message: (Location & { readonly sequence: number }) | undefined
  /** Other segments that hold a message record of it. */
  origins: string[]
  /** Marks and updates, as they stand: few, and only of those not complete. */
  later: {
    readonly location: Location
    readonly sequence: number
    readonly type: RecordView['type']
    readonly json: Buffer
  }[]
  tombstone: { readonly segment: string; readonly others: readonly string[] } | undefined
}

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
}

const chunkMessages = 500

/**
 * Reads all segments in `folders`.
 * @param fresh true: the index is empty and these are all segments there are
 */
export async function recover(
  host: RecoveryHost,
  folders: readonly string[],
  fresh: boolean,
): Promise<Recovered> {
  const found = new Map<string, Found>()
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
  const messages = await mergeMessages(host, segments, found, bodies, fresh)
  mergeTombstones(host, segments, found)
  const living = [...found].flatMap(([id, { tombstone }]) => (tombstone === undefined ? [id] : []))
  return { segments, messages, living }
}

/**
 * Segments of which the index knows all need not be read. Their tombstones count: the message may stand in a segment
 * that is read.
 */
export function noteSettled(folder: string, found: Map<string, Found>): Map<string, Segment> {
  const settled = new Map(readSettled(folder))
  for (const [name, { path, size, tombstones }] of settled) {
    // Dropped since, or damaged: then what is there is read.
    if (!fileExists(path) || fileInfo(path).size < size) {
      settled.delete(name)
      continue
    }
    for (const [id, others] of tombstones)
      found.set(id, { message: undefined, origins: [], later: [], tombstone: { segment: name, others } })
  }
  return settled
}

async function scanSegment(
  host: RecoveryHost,
  folder: string,
  fileName: string,
  found: Map<string, Found>,
): Promise<Segment | undefined> {
  const path = `${folder}/${fileName}`
  if (fileName.startsWith('free-')) removeQuietly(path)
  if (!/^[0-9a-f]{16}$/.test(fileName)) {
    if (!/^(?:free-|\.?clean|\.?settled)/.test(fileName)) host.setAside.strange(path, fileName)
    return undefined
  }
  const bytes = await readWhole(path)
  const stamp = readSegmentHead(bytes) ?? Buffer.from(fileName, 'hex')
  if (stamp === 'free' || bytes.length === 0) {
    removeQuietly(path)
    return undefined
  }
  // The name of a file used again need not have reached the disk; its head has.
  const name = stamp.toString('hex')
  if (name !== fileName) renameFile(path, `${folder}/${name}`)
  let end = 0
  for (const item of scanRecords(bytes, stamp)) {
    end = item.offset + item.length
    if (isDamage(item)) host.setAside.bytes(name, item, bytes.subarray(item.offset, end))
    else note(found, name, item)
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

export function note(found: Map<string, Found>, segment: string, record: RecordView): void {
  let of = found.get(record.id)
  if (of === undefined)
    found.set(record.id, (of = { message: undefined, origins: [], later: [], tombstone: undefined }))
  const { offset, length, sequence, type } = record
  if (type === 'tombstone') {
    const json: unknown = JSON.parse(record.json.toString('utf8'))
    // The CRC vouches for the shape.
    const others = (json as { segments: string[] }).segments.filter((name) => name !== segment)
    of.tombstone = { segment, others }
    of.later = []
  } else if (type === 'message') {
    if (of.message !== undefined && of.message.sequence > sequence) of.origins.push(segment)
    else {
      if (of.message !== undefined) of.origins.push(of.message.segment)
      of.message = { segment, offset, length, sequence }
    }
  } else if (of.tombstone === undefined) {
    of.later.push({ location: { segment, offset, length }, sequence, type, json: Buffer.from(record.json) })
  }
}

/** Second reading, segment by segment, of the messages that live: only a few are in memory at a time. */
async function mergeMessages(
  host: RecoveryHost,
  segments: readonly Segment[],
  found: Map<string, Found>,
  bodies: ReadonlySet<string>,
  fresh: boolean,
): Promise<number> {
  const bySegment = new Map<string, string[]>()
  const withoutMessage: string[] = []
  for (const [id, of] of found) {
    if (of.tombstone !== undefined) continue
    if (of.message === undefined) {
      withoutMessage.push(id)
      continue
    }
    const ids = bySegment.get(of.message.segment)
    if (ids === undefined) bySegment.set(of.message.segment, [id])
    else ids.push(id)
  }
  let count = 0
  for (const segment of segments) {
    const ids = bySegment.get(segment.name) ?? []
    if (ids.length === 0) continue
    const bytes = await readWhole(segment.path)
    for (let start = 0; start < ids.length; start += chunkMessages) {
      const made: [string, IndexEntry, Found][] = []
      for (const id of ids.slice(start, start + chunkMessages)) {
        const of = found.get(id)
        if (of?.message === undefined) continue
        const entry = entryFromRecords(bytes, segment.name, of, of.message)
        // One that the index knows, or knew, may have been completed by another process a moment ago.
        const known = !fresh && (host.index.has(id) || host.index.tombstone(id) !== undefined)
        if (entry.bodyFile !== '' && !known && !bodies.has(entry.bodyFile)) {
          await host.setAside.message(id, entry, `its body file ${entry.bodyFile} is missing`)
        } else made.push([id, entry, of])
      }
      count += putMessages(host, made, fresh)
      await nextTurn()
    }
  }
  if (!fresh) await mergeLater(host, withoutMessage, found)
  return count
}

function putMessages(
  host: RecoveryHost,
  made: readonly [string, IndexEntry, Found][],
  fresh: boolean,
): number {
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
async function mergeLater(
  host: RecoveryHost,
  ids: readonly string[],
  found: Map<string, Found>,
): Promise<void> {
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

function mergeTombstones(host: RecoveryHost, segments: readonly Segment[], found: Map<string, Found>): void {
  const byName = new Map(segments.map((segment) => [segment.name, segment]))
  host.index.transact((write) => {
    for (const [id, { tombstone }] of found) {
      if (tombstone === undefined) continue
      const old = write.get(id)
      if (old !== undefined) write.remove(id, old)
      if (tombstone.others.length === 0) continue
      byName.get(tombstone.segment)?.tombstones.set(id, tombstone.others)
      write.putTombstone(id, tombstone.segment, tombstone.others)
    }
  })
}

export function entryFromRecords(
  bytes: Buffer,
  segment: string,
  of: Found,
  place: Location & { readonly sequence: number },
): IndexEntry {
  const record = recordAt(bytes, segment, place)
  const json = parseMessage(record)
  let envelope: Envelope = json.envelope
  let sequence = place.sequence
  const { offset, length } = place
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
    origins: [...new Set(of.origins)].filter((name) => name !== segment),
    bodyFile: json.bodyFile ?? '',
    bodySize: json.bodySize,
    nextAttemptAt: envelope.receivedAt,
    reason: '',
    claimedBy: '',
  })
}

/** The record was read a moment ago and was good: this finds it again without the CRC. */
function recordAt(bytes: Buffer, segment: string, place: Location): RecordView {
  const idEnd = place.offset + 32 + bytes.readUInt8(place.offset + 29)
  const jsonEnd = idEnd + bytes.readUInt32LE(place.offset + 24)
  return {
    type: 'message',
    id: segment,
    sequence: 0,
    offset: place.offset,
    length: place.length,
    json: bytes.subarray(idEnd, jsonEnd),
    body: bytes.subarray(jsonEnd, place.offset + place.length),
  }
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

function entryAfter(old: IndexEntry, later: Found['later']): IndexEntry {
  let entry = old
  for (const { type, json, location, sequence } of later) {
    const parts = type === 'update' ? [...entry.parts.slice(0, 1), location] : [...entry.parts, location]
    entry = { ...applyToEntry(entry, type, json), parts, sequence, claimedBy: '' }
  }
  return entry
}

/** An entry knows less than an envelope, but all that can change and is listed. */
function applyToEntry(entry: IndexEntry, type: RecordView['type'], json: Buffer): IndexEntry {
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

function sorted(later: Found['later']): Found['later'] {
  return later.toSorted((a, b) => a.sequence - b.sequence)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
