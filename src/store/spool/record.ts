/**
 * Records: the bytes of which segment files are made. `docs/spool-format.md` describes them for people.
 *
 *     0  4  magic `PnR1`
 *     4  8  stamp of the segment: what a recycled file held before has another one
 *    12  4  length of what follows the head
 *    16  4  CRC-32 of bytes 20 to the end
 *    20  4  sequence number within the message
 *    24  4  length of the JSON part
 *    28  1  type
 *    29  1  length of the message id
 *    30  2  zero
 *    32     message id, JSON part, body
 */
import { crc32 } from 'node:zlib'

export const recordHeadBytes = 32
export const segmentHeadBytes = 32
const recordMagic = 0x3152_6e50 // "PnR1", little endian
const segmentMagic = 0x3153_6e50 // "PnS1"
export const stampBytes = 8

/**
 * - `message`: envelope, and the body unless it has a file of its own; stands for all that was said before.
 * - `update`: the changing fields of the envelope, whole; stands for all updates and marks before it.
 * - `mark`: addresses done and fields changed since the record before.
 * - `tombstone`: the message is complete; its JSON names the other segments that still speak of it.
 */
export type RecordType = 'message' | 'update' | 'mark' | 'tombstone'
const typeNumbers = { message: 1, update: 2, mark: 3, tombstone: 4 } as const satisfies Record<
  RecordType,
  number
>
const typeNames: readonly (RecordType | undefined)[] = [undefined, 'message', 'update', 'mark', 'tombstone']

export interface RecordContent {
  readonly type: RecordType
  readonly id: string
  readonly sequence: number
  readonly json: unknown
  readonly body?: Uint8Array | undefined
}

export interface RecordView {
  readonly type: RecordType
  readonly id: string
  readonly sequence: number
  /** Offset of the record in its segment. */
  readonly offset: number
  /** Whole length, head included. */
  readonly length: number
  readonly json: Buffer
  readonly body: Buffer
}

/** A record ready to be written but for its stamp, which is known when its segment is. */
export interface EncodedRecord {
  readonly head: Buffer
  readonly body: Uint8Array | undefined
  readonly length: number
}

export function encodeRecord(record: RecordContent): EncodedRecord {
  const json = JSON.stringify(record.json)
  const jsonBytes = Buffer.byteLength(json)
  const headBytes = recordHeadBytes + record.id.length + jsonBytes
  const bodyBytes = record.body?.length ?? 0
  const head = Buffer.allocUnsafe(headBytes)
  head.writeUInt32LE(recordMagic, 0)
  head.fill(0, 4, 12)
  head.writeUInt32LE(headBytes - recordHeadBytes + bodyBytes, 12)
  head.writeUInt32LE(record.sequence, 20)
  head.writeUInt32LE(jsonBytes, 24)
  head.writeUInt8(typeNumbers[record.type], 28)
  head.writeUInt8(record.id.length, 29)
  head.writeUInt16LE(0, 30)
  head.write(record.id, recordHeadBytes, 'latin1')
  head.write(json, recordHeadBytes + record.id.length, 'utf8')
  const sum = crc32(head.subarray(20))
  head.writeUInt32LE(bodyBytes === 0 || record.body === undefined ? sum : crc32(record.body, sum), 16)
  return { head, body: bodyBytes === 0 ? undefined : record.body, length: headBytes + bodyBytes }
}

/** Puts the segment's stamp into an encoded record. */
export function stampRecord(record: EncodedRecord, stamp: Uint8Array): void {
  record.head.set(stamp, 4)
}

/** The record at `offset` of `bytes`, or why there is none. `base` is the place of `bytes` in the segment. */
export function readRecord(
  bytes: Buffer,
  offset: number,
  stamp: Uint8Array,
  base: number = 0,
): RecordView | 'none' | 'cut off' | 'damaged' {
  if (bytes.length - offset < recordHeadBytes) return 'none'
  if (bytes.readUInt32LE(offset) !== recordMagic) return 'none'
  for (let i = 0; i < stampBytes; i++) if (bytes[offset + 4 + i] !== stamp[i]) return 'none'
  const end = offset + recordHeadBytes + bytes.readUInt32LE(offset + 12)
  if (end > bytes.length) return 'cut off'
  if (crc32(bytes.subarray(offset + 20, end)) !== bytes.readUInt32LE(offset + 16)) return 'damaged'
  const type = typeNames[bytes.readUInt8(offset + 28)]
  const idEnd = offset + recordHeadBytes + bytes.readUInt8(offset + 29)
  const jsonEnd = idEnd + bytes.readUInt32LE(offset + 24)
  if (type === undefined || jsonEnd > end) return 'damaged'
  return {
    type,
    id: bytes.toString('latin1', offset + recordHeadBytes, idEnd),
    sequence: bytes.readUInt32LE(offset + 20),
    offset: base + offset,
    length: end - offset,
    json: bytes.subarray(idEnd, jsonEnd),
    body: bytes.subarray(jsonEnd, end),
  }
}

/** The JSON part of a record that is known to be good. */
export function jsonOf(bytes: Buffer, offset: number): Buffer {
  const from = offset + recordHeadBytes + bytes.readUInt8(offset + 29)
  return bytes.subarray(from, from + bytes.readUInt32LE(offset + 24))
}

/** A stretch of a segment that should hold a record and does not hold a good one. */
export interface Damage {
  readonly offset: number
  readonly length: number
  /** True when the stretch is the last of the segment and was cut short: a write that never ended. */
  readonly unfinished: boolean
  /** The message id it seems to speak of. */
  readonly id: string | undefined
}

/**
 * All records of a segment in their order, and the damage between them.
 * @param base where `bytes` begin in the segment; left out: they are the whole of it
 */
export function* scanRecords(
  bytes: Buffer,
  stamp: Uint8Array,
  base: number = 0,
): Generator<RecordView | Damage> {
  const needle = Buffer.alloc(4 + stampBytes)
  needle.writeUInt32LE(recordMagic, 0)
  needle.set(stamp, 4)
  let offset = base === 0 ? segmentHeadBytes : 0
  for (;;) {
    const found = readRecord(bytes, offset, stamp, base)
    if (typeof found === 'object') {
      yield found
      offset += found.length
      continue
    }
    // Records of this segment behind a bad one are still good: look for the next that begins like one.
    let next = bytes.indexOf(needle, offset + (found === 'none' ? 0 : 1))
    while (next >= 0 && typeof readRecord(bytes, next, stamp) !== 'object')
      next = bytes.indexOf(needle, next + 1)
    if (found === 'none' && next < 0) return
    const end = next >= 0 ? next : damagedEnd(bytes, offset, found)
    yield {
      offset: base + offset,
      length: end - offset,
      unfinished: next < 0 && found === 'cut off',
      id: found === 'none' ? undefined : idAt(bytes, offset),
    }
    if (next < 0) return
    offset = next
  }
}

function damagedEnd(bytes: Buffer, offset: number, found: 'none' | 'cut off' | 'damaged'): number {
  if (found === 'cut off') return bytes.length
  return offset + recordHeadBytes + bytes.readUInt32LE(offset + 12)
}

function idAt(bytes: Buffer, offset: number): string | undefined {
  const start = offset + recordHeadBytes
  const id = bytes.toString('latin1', start, Math.min(bytes.length, start + bytes.readUInt8(offset + 29)))
  return /^[0-9A-Za-z-]{16,23}$/.test(id) ? id : undefined
}

export function isDamage(item: RecordView | Damage): item is Damage {
  return 'unfinished' in item
}

/** The head of a segment file: magic, stamp, zeros. A stamp of zeros marks a file that is free for use. */
export function encodeSegmentHead(stamp: Uint8Array): Buffer {
  const head = Buffer.alloc(segmentHeadBytes)
  head.writeUInt32LE(segmentMagic, 0)
  head.set(stamp, 4)
  head.writeUInt32LE(crc32(head.subarray(0, 12)), 12)
  return head
}

/** The stamp in the head of a segment file; `free` when it holds nothing, undefined when the head is not one. */
export function readSegmentHead(bytes: Buffer): Buffer | 'free' | undefined {
  if (bytes.length < segmentHeadBytes || bytes.readUInt32LE(0) !== segmentMagic) return undefined
  if (crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) return undefined
  const stamp = Buffer.from(bytes.subarray(4, 4 + stampBytes))
  return stamp.every((byte) => byte === 0) ? 'free' : stamp
}
