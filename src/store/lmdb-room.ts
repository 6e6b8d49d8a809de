/**
 * What LMDB does not take care of when several processes write.
 *
 * Room on the disk, taken before LMDB writes. A page that LMDB cannot write (a full disk, a
 * quota, a file system gone read-only) is not only an error: the library writes its message past the end of a small
 * buffer, and the process ends or hangs. So its file is filled with zeros ahead of where the next pages go, by us,
 * within the write transaction; when that fails nothing is written and the transaction is given up.
 * The lock file is written through a mapping, where no room means SIGBUS, so it is made whole at the start.
 *
 * The number of the last transaction, which all processes share. Whoever opens an environment sets it (in lmdb 3.5, without a
 * lock) to what the file said a moment before; what others have committed in that moment would be written over by the next
 * one to write, pages and all. So each write transaction looks whether its number is a new one, and sets it right.
 *
 * Those who read and were killed. LMDB keeps for them all that was in use when they began, and the file grows with each
 * transaction until somebody opens it anew: they are looked for while there is writing.
 */
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { ABORT, type RootDatabase } from 'lmdb'
import { lmdbMagic as magic } from './lmdb-file.ts'

const slackBytes = 96 << 10
/** Pages copied from the root to a leaf, and a page more where each is split. */
const pathBytes = 40 << 10
const stepBytes = 64 << 10
const zeros = Buffer.alloc(256 << 10)
const pageLimit = 65_536
/** More than the lock file of 1,000 readers needs. */
const lockBytes = 80 << 10
/** File systems that write each page to a new place: btrfs, ZFS, bcachefs. Room in the file is no room there. */
const copyOnWrite = new Set([0x9123_683e, 0x2fc1_2fc1, 0xca45_1a4e])

/** What a new environment needs before it is opened. Throws with the system's code when the disk has no room for it. */
export function prepareLmdbFolder(folder: string): void {
  makeLockFile(folder)
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < slackBytes && !holds(`${folder}/data.mdb`)) throw noSpace(`${folder}/data.mdb`)
}

/** Another process may open the environment at this moment: the file appears whole or not at all. */
function makeLockFile(folder: string): void {
  const path = `${folder}/lock.mdb`
  if (holds(path)) return
  const temporary = `${folder}/.lock.${process.pid}`
  rmSync(temporary, { force: true })
  const fd = openSync(temporary, 'wx', 0o640)
  try {
    fill(fd, 0, lockBytes)
    linkSync(temporary, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    closeSync(fd)
    rmSync(temporary, { force: true })
  }
}

/** Asked by name: to close a lock file gives up the locks that this process has on it. */
function holds(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
}

const readersEveryMs = 1000

/** So often others may set the number back while one transaction begins. */
const mostTries = 1000

/**
 * Does something in a write transaction, which must do nothing before. What it throws ends the transaction, and nothing has
 * happened. Throws with the system's code when the disk takes nothing.
 */
export function writeTransaction<T>(root: RootDatabase<unknown, string>, room: LmdbRoom, work: () => T): T {
  if (room.readersAreDue()) root.readerCheck()
  for (let tries = 0; tries < mostTries; tries++) {
    const turn: { done?: { readonly result: T } } = {}
    root.transactionSync(() => {
      if (!room.begin(root.getWriteTxnId())) return ABORT
      turn.done = { result: work() }
      return undefined
    })
    if (turn.done !== undefined) return turn.done.result
  }
  throw new Error(`the transactions of ${room.path} get no new number`)
}

/** Sees to it that what is read next is all that has been committed. */
export function readNewest(root: RootDatabase<unknown, string>, room: LmdbRoom): void {
  root.transactionSync(() => {
    room.isNew(root.getWriteTxnId())
    return ABORT
  })
  root.resetReadTxn()
}

export class LmdbRoom {
  readonly path: string
  readonly #fd: number
  /** Of the lock file. Opened when it is needed and never closed, see `holds`. */
  #lockFd: number | undefined
  #readersDueAt = 0
  #closed = false
  readonly #copies: boolean
  readonly #head = Buffer.alloc(pageLimit + 160)
  /** Known length of the file; it only grows. */
  #size = 0
  /** Bytes in use when the transaction began. */
  #used = 0
  #changes = 0
  #bytes = 0
  #ensured = 0

  /** @param path the data file of an environment that is open */
  constructor(path: string) {
    this.path = path
    this.#fd = openSync(path, 'r+')
    this.#copies = copyOnWrite.has(statfsSync(path).type >>> 0)
  }

  /** Bytes of the file that are known to be there. */
  get size(): number {
    return this.#size
  }

  /** Bytes that LMDB used when the transaction began. */
  get used(): number {
    return this.#used
  }

  /** It is time again to look for readers that are gone. */
  readersAreDue(): boolean {
    const now = performance.now()
    if (now < this.#readersDueAt) return false
    this.#readersDueAt = now + readersEveryMs
    return true
  }

  /** A second time does nothing: the number may be another file's by then. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
  }

  /**
   * First in each write transaction, so no other process writes now. Throws when the disk takes nothing.
   * @returns false: it must do nothing, see `isNew`
   */
  begin(transaction: number): boolean {
    if (!this.isNew(transaction)) return false
    this.#changes = 0
    this.#bytes = 0
    this.#ensured = 0
    this.#ensure(slackBytes)
    // The last byte of the room, which no page has yet: does the file take writes now?
    writeSync(this.#fd, zeros, 0, 1, this.#size - 1)
    return true
  }

  /**
   * @param transaction the number of the write transaction under way
   * @returns false: it was used before. It is set right for the next one
   */
  isNew(transaction: number): boolean {
    const { newest, usedBytes } = this.#readHeads()
    this.#used = usedBytes
    if (transaction > newest) return true
    this.#setRight(transaction, newest)
    return false
  }

  /** Before each put or remove of the transaction: `bytes` is the size of key and value. */
  add(bytes: number): void {
    this.#changes++
    this.#bytes += bytes
    // No more pages are copied than there are.
    const copied = Math.min(this.#changes * pathBytes, this.#used * 2)
    const need = slackBytes + copied + 2 * this.#bytes
    if (need > this.#ensured) this.#ensure(need)
  }

  /** Before each put behind all other keys: new pages are filled, and of the others only the last one's path is copied. */
  append(bytes: number): void {
    this.#bytes += bytes
    // A value of its own pages may leave most of the last one empty.
    const need = 3 * slackBytes + 4 * this.#bytes
    if (need > this.#ensured) this.#ensure(need)
  }

  #ensure(need: number): void {
    const most = need + Math.max(stepBytes, need >> 1)
    const end = this.#used + need
    if (this.#copies) {
      const { bavail, bsize } = statfsSync(this.path)
      if (bavail * bsize < need) throw noSpace(this.path)
    }
    if (this.#size < end) {
      this.#size = fstatSync(this.#fd).size
      if (this.#size < end) {
        try {
          this.#extend(this.#used + most)
        } catch (error) {
          // A little more was asked for than is needed, so that it is asked seldom.
          if (this.#size < end) throw error
        }
      }
    }
    this.#ensured = need
  }

  #extend(to: number): void {
    while (this.#size < to) this.#size += write(this.#fd, this.#size, to)
  }

  /** What LMDB's newer head says, as in `lmdb-file.ts`. */
  #readHeads(): { readonly newest: number; readonly usedBytes: number } {
    const head = this.#head
    const read = readSync(this.#fd, head, 0, 4096 + 160, 0)
    const page = head.readUInt32LE(48)
    if (page > 4096 || page < 512) {
      if (page > pageLimit || readSync(this.#fd, head, 0, page + 160, 0) < page + 160) throw noHead(this.path)
    } else if (read < page + 160) throw noHead(this.path)
    const first = head.readBigUInt64LE(152)
    const second = head.readBigUInt64LE(page + 152)
    const last = Number(head.readBigUInt64LE(first > second ? 144 : page + 144))
    return { newest: Number(first > second ? first : second), usedBytes: (last + 1) * page }
  }

  /** The lock file begins with a mark and a version of four bytes each, then comes the number. */
  #setRight(transaction: number, newest: number): void {
    const path = join(dirname(this.path), 'lock.mdb')
    this.#lockFd ??= openSync(path, 'r+')
    const bytes = Buffer.alloc(16)
    readSync(this.#lockFd, bytes, 0, 16, 0)
    if (bytes.readUInt32LE(0) !== magic) throw noHead(path)
    // Somebody has set it right, or back once more, since this transaction began.
    if (Number(bytes.readBigUInt64LE(8)) !== transaction - 1) return
    bytes.writeBigUInt64LE(BigInt(newest), 8)
    writeSync(this.#lockFd, bytes, 8, 8, 8)
  }
}

function fill(fd: number, from: number, to: number): void {
  for (let at = from; at < to; ) at += write(fd, at, to)
}

function write(fd: number, at: number, to: number): number {
  return writeSync(fd, zeros, 0, Math.min(zeros.length, to - at), at)
}

function noSpace(path: string): Error {
  return Object.assign(new Error(`ENOSPC: no space left on device, write '${path}'`), { code: 'ENOSPC' })
}

function noHead(path: string): Error {
  return Object.assign(new Error(`${path} has no head`), { code: 'EIO' })
}
