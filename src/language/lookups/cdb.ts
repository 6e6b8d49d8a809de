/** Constant databases. Source: https://cr.yp.to/cdb/cdb.txt */
import type { ByteString } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import { cdbHash } from './cdb-write.ts'
import type { Opened, SingleKeyType } from './types.ts'

interface Database {
  readonly bytes: ByteString
}

function number(bytes: ByteString, at: number): number {
  return (
    (bytes.charCodeAt(at) |
      (bytes.charCodeAt(at + 1) << 8) |
      (bytes.charCodeAt(at + 2) << 16) |
      (bytes.charCodeAt(at + 3) << 24)) >>>
    0
  )
}

function findIn(bytes: ByteString, key: ByteString): LookupResult {
  const sought = cdbHash(key)
  const pointer = (sought & 255) * 8
  const table = number(bytes, pointer)
  const slots = number(bytes, pointer + 4)
  if (slots === 0) return { is: 'none' }
  if (table + slots * 8 > bytes.length)
    return { is: 'defer', message: 'cdb: hash table lies beyond the end of the file' }
  for (let probe = 0; probe < slots; probe++) {
    const slot = table + (((sought >>> 8) + probe) % slots) * 8
    const record = number(bytes, slot + 4)
    if (record === 0) return { is: 'none' }
    if (number(bytes, slot) !== sought) continue
    const keyLength = number(bytes, record)
    const dataLength = number(bytes, record + 4)
    const keyEnd = record + 8 + keyLength
    if (keyEnd + dataLength > bytes.length)
      return { is: 'defer', message: 'cdb: record lies beyond the end of the file' }
    if (keyLength === key.length && bytes.startsWith(key, record + 8)) {
      return { is: 'found', data: bytes.slice(keyEnd, keyEnd + dataLength) }
    }
  }
  return { is: 'none' }
}

export const cdb: SingleKeyType = {
  name: 'cdb',
  doc: 'Searches a constant database file.',
  since: '0.1',
  style: 'single',
  open(file, _, context, cache) {
    const database = cache.get<Database>(file, 'cdb', 'cdb lookup', context, (bytes) => ({ bytes }))
    const opened = (found: Database | { problem: string }): Opened => {
      if ('problem' in found) return { error: 'failure', message: found.problem }
      if (found.bytes.length < 2048)
        return { error: 'failure', message: `cdb: ${file} is too short to be a cdb file` }
      return { find: (key) => findIn(found.bytes, key) }
    }
    return database instanceof Promise ? database.then(opened) : opened(database)
  },
}
