/** Writes constant databases. Source: https://cr.yp.to/cdb/cdb.txt */
import { toBytes, type ByteString } from '../../base/text.ts'
import type { Entry } from './lines.ts'

/** Places in a cdb file are 32-bit numbers. */
const largestFile = 0xffff_ffff

/** "A hash of the key": h = ((h << 5) + h) ^ c, starting from 5381. */
export function cdbHash(key: ByteString): number {
  let value = 5381
  for (let i = 0; i < key.length; i++) value = (((value << 5) + value) ^ key.charCodeAt(i)) >>> 0
  return value
}

/** The bytes of the file; undefined: the entries do not fit. */
export function buildCdb(entries: Iterable<Entry>): Buffer | undefined {
  const records: Buffer[] = []
  const tables: { readonly hash: number; readonly at: number }[][] = Array.from({ length: 256 }, () => [])
  let at = 2048
  for (const { key, data } of entries) {
    const hash = cdbHash(key)
    tables[hash & 255]?.push({ hash, at })
    const record = Buffer.concat([Buffer.alloc(8), toBytes(key), toBytes(data)])
    record.writeUInt32LE(key.length, 0)
    record.writeUInt32LE(data.length, 4)
    records.push(record)
    at += record.length
    if (at > largestFile) return undefined
  }
  const head = Buffer.alloc(2048)
  const slots: Buffer[] = []
  for (const [i, table] of tables.entries()) {
    // Half of the slots stay empty, so that a search for what is not there ends soon.
    const size = table.length * 2
    head.writeUInt32LE(at, i * 8)
    head.writeUInt32LE(size, i * 8 + 4)
    slots.push(hashTable(table, size))
    at += size * 8
    if (at > largestFile) return undefined
  }
  return Buffer.concat([head, ...records, ...slots])
}

function hashTable(table: readonly { readonly hash: number; readonly at: number }[], size: number): Buffer {
  const bytes = Buffer.alloc(size * 8)
  for (const { hash, at } of table) {
    let slot = (hash >>> 8) % size
    while (bytes.readUInt32LE(slot * 8 + 4) !== 0) slot = (slot + 1) % size
    bytes.writeUInt32LE(hash, slot * 8)
    bytes.writeUInt32LE(at, slot * 8 + 4)
  }
  return bytes
}
