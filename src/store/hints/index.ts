/**
 * Hints: retry times, rates, callout results and the like, shared by all processes, in an LMDB environment of their
 * own. They may be lost, so nothing is synced, and what cannot be read is begun anew.
 * Source: Exim manual, "Hints databases".
 */
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import type { Hints, HintsDatabase } from '../../ports.ts'
import { lmdbFileProblem } from '../lmdb-file.ts'
import { LmdbRoom, prepareLmdbFolder, writeTransaction } from '../lmdb-room.ts'
import { mapBytesFor } from '../map-room.ts'
import { eximSpoolProblem } from '../spool/layout.ts'
import { ownProcessKey, takeLock } from '../spool/process-key.ts'

import { BatchWriter, type Row } from './batch-writer.ts'

export { createMemoryHints } from './memory.ts'

export interface HintsOptions {
  /** A folder for the environment; made when it is not there. */
  readonly directory: string
  /** Takes a sentence when hints were lost or cannot be written. */
  readonly log?: (line: string) => void
  /** Whose new files are to be, when not the process's own. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  readonly now?: () => number
}

export interface SharedHints extends Hints {
  /** Removes what was not written for this long, a slice at a time; the daemon does it once a day. */
  tidy(olderThanMs: number): Promise<void>
  /** With the time each was written. */
  rows(database: HintsDatabase): Iterable<{ key: string; value: unknown; writtenAt: number }>
  close(): Promise<void>
}

/** Rows looked at in one turn of the event loop. */
const tidySlice = 1000

const names: readonly HintsDatabase[] = [
  'retry',
  'ratelimit',
  'seen',
  'callout',
  'wait',
  'misc',
  'tls',
  'dmarc',
]
/** Of the file that is there while a process opens them. */
const lockName = 'held-by'
const lockWaitMs = 60_000
const mapBytes = 4 * 2 ** 30
/** LMDB takes keys of 1,978 bytes; a longer one is cut and carries its digest. */
const keyBytes = 1500

/** Opens or makes the hints. Rejects when the folder belongs to an Exim. */
export async function openHints(options: HintsOptions): Promise<SharedHints> {
  const log = options.log ?? (() => {})
  const now = options.now ?? Date.now
  const { root, room } = await openEnvironment(options, log)
  const databases = writeTransaction(
    root,
    room,
    () =>
      new Map<HintsDatabase, Database<Row, string>>(
        names.map((name) => [name, root.openDB<Row, string>({ name })]),
      ),
  )
  const database = (name: HintsDatabase): Database<Row, string> => {
    const found = databases.get(name)
    if (found === undefined) throw new Error(`no hints database ${name}`)
    return found
  }
  const writer = new BatchWriter(root, room, (why) => log(`hints cannot be written: ${why}`))
  const write = (name: HintsDatabase, key: string, row: Row | undefined): void =>
    writer.write(database(name), `${name} ${storedKey(key)}`, storedKey(key), row)
  const current = (name: HintsDatabase, key: string): Row | undefined => {
    const stored = storedKey(key)
    const place = `${name} ${stored}`
    return writer.pending.has(place) ? writer.pending.get(place) : database(name).get(stored)
  }
  let closed = false

  return {
    get: (name, key) => current(name, key)?.[1],
    put: (name, key, value) => write(name, key, [now(), value]),
    remove: (name, key) => write(name, key, undefined),
    async update<T>(name: HintsDatabase, key: string, change: (old: T | undefined) => T | undefined) {
      const stored = storedKey(key)
      // What was put under a key comes back under it: the databases and their values belong to one owner each.
      const written = await writer.change(database(name), stored, (old) => {
        const value = change(old?.[1] as T | undefined)
        return value === undefined ? undefined : [now(), value]
      })
      if (written.is === 'written') return written.row?.[1] as T | undefined
      return change(current(name, key)?.[1] as T | undefined)
    },
    *entries(name, range = {}) {
      const bounds = {
        ...(range.start === undefined ? {} : { start: range.start }),
        ...(range.end === undefined ? {} : { end: range.end }),
      }
      writer.flushFor(database(name))
      for (const { key, value } of database(name).getRange({ ...bounds, snapshot: false })) {
        const place = `${name} ${key}`
        const row = writer.pending.has(place) ? writer.pending.get(place) : value
        if (row !== undefined) yield { key, value: row[1] }
      }
    },
    *rows(name) {
      writer.flushFor(database(name))
      for (const { key, value } of database(name).getRange({ snapshot: false })) {
        const place = `${name} ${key}`
        const row = writer.pending.has(place) ? writer.pending.get(place) : value
        if (row !== undefined) yield { key, value: row[1], writtenAt: row[0] }
      }
    },
    async tidy(olderThanMs) {
      const before = now() - olderThanMs
      writer.flush()
      for (const [name, rows] of databases) {
        let start: string | undefined
        do {
          let seen = 0
          let last: string | undefined
          for (const { key, value } of rows.getRange({
            snapshot: false,
            limit: tidySlice,
            ...(start === undefined ? {} : { start, exclusiveStart: true }),
          })) {
            seen++
            last = key
            if (value[0] < before && !writer.pending.has(`${name} ${key}`)) write(name, key, undefined)
          }
          start = seen === tidySlice ? last : undefined
          await new Promise((resolve) => setImmediate(resolve))
        } while (start !== undefined && !closed)
      }
    },
    async close() {
      closed = true
      writer.flush()
      room.close()
      await root.close()
    },
  }
}

function storedKey(key: string): string {
  const plain = key.includes('\0') ? key.replaceAll('\0', '\u0001') : key
  if (plain.length * 2 <= keyBytes || Buffer.byteLength(plain) <= keyBytes) return plain
  return `${plain.slice(0, 400)}#${createHash('sha256').update(plain).digest('hex')}`
}

interface Environment {
  readonly root: RootDatabase<unknown, string>
  readonly room: LmdbRoom
}

/** One process at a time: what another is making must not be taken for what one that ended has left. */
async function openEnvironment(options: HintsOptions, log: (line: string) => void): Promise<Environment> {
  const { directory, owner } = options
  // Hints stand in the spool directory, and may be opened before the spool is.
  const foreign = existsSync(directory) ? undefined : eximSpoolProblem(dirname(directory))
  if (foreign !== undefined) throw new Error(foreign)
  makeFolder(directory, owner)
  const unlock = await takeLock(directory, lockName, ownProcessKey(), lockWaitMs, owner)
  try {
    return openAlone(options, log)
  } finally {
    unlock()
  }
}

/**
 * A damaged environment can end the process that opens it, so a mark stands while it is opened. Without syncs the
 * files of another boot may be mixed: then they are begun anew, unless they were closed properly.
 */
function openAlone({ directory, owner }: HintsOptions, log: (line: string) => void): Environment {
  const bootFile = `${directory}/boot`
  const boot = readOr('/proc/sys/kernel/random/boot_id').trim()
  const ended = readdirSync(directory).some((name) => name.startsWith('opening.'))
  const sameBoot = !existsSync(bootFile) || readOr(bootFile).trim() === boot
  if (ended) log('hints: a process ended while opening them; they are begun anew')
  if (ended || !sameBoot) empty(directory)
  const problem = lmdbFileProblem(`${directory}/data.mdb`)
  if (problem !== undefined) {
    log(`hints cannot be read and are begun anew: ${problem}`)
    empty(directory)
  }
  // Asked before the mark: no room is no damage.
  const mapSize = mapBytesFor(`${directory}/data.mdb`, mapBytes)
  const mark = `${directory}/opening.${process.pid}`
  writeFileSync(mark, '', { mode: 0o640 })
  writeFileSync(bootFile, boot, { mode: 0o640 })
  prepareLmdbFolder(directory)
  const root = openLmdb(directory, mapSize)
  for (const name of ['data.mdb', 'lock.mdb', 'boot']) {
    if (owner !== undefined) chownSync(`${directory}/${name}`, owner.uid, owner.gid)
  }
  rmSync(mark, { force: true })
  return { root, room: new LmdbRoom(`${directory}/data.mdb`) }
}

function openLmdb(directory: string, mapSize: number): RootDatabase<unknown, string> {
  const root = open<unknown, string>({
    path: directory,
    noSubdir: false,
    noSync: true,
    mapSize,
    maxReaders: 1000,
  })
  chmodSync(`${directory}/data.mdb`, 0o640)
  chmodSync(`${directory}/lock.mdb`, 0o640)
  return root
}

function makeFolder(directory: string, owner: HintsOptions['owner']): void {
  if (existsSync(directory)) return
  mkdirSync(directory, { recursive: true, mode: 0o750 })
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid)
}

function empty(directory: string): void {
  for (const name of readdirSync(directory))
    if (!name.startsWith(lockName)) rmSync(`${directory}/${name}`, { force: true })
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
