/**
 * The segments one process writes: records are appended, and one write and one sync serve all who wait.
 * While a sync runs, the next batch gathers; nothing waits for a timer.
 */
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { SpoolError } from './api.ts'
import {
  closeFile,
  createFile,
  type FileOwner,
  openFile,
  removeQuietly,
  renameFile,
  spoolError,
  syncData,
  syncDataThen,
  syncFolder,
  truncateFile,
  writeAt,
  writePieces,
} from './disk.ts'
import {
  encodeRecord,
  encodeSegmentHead,
  type EncodedRecord,
  type RecordContent,
  segmentHeadBytes,
  stampBytes,
  stampRecord,
} from './record.ts'

/** Where a record stands: the name of its segment is the segment's stamp in hexadecimal. */
export interface Location {
  readonly segment: string
  readonly offset: number
  readonly length: number
}

/** A segment that this process answers for. */
export interface Segment {
  readonly name: string
  readonly path: string
  /** Where the next record goes. */
  size: number
  /** Messages completed by a tombstone here, with the other segments that still speak of them. */
  readonly tombstones: Map<string, readonly string[]>
}

export interface JournalOptions {
  /** The folder of this process. */
  readonly folder: string
  readonly owner: FileOwner | undefined
  /** A segment is closed when it has grown beyond this. */
  readonly segmentBytes: number
  readonly crashPoint: (name: string) => void
  /** Called once, when a sync has failed and nothing more can be made durable. */
  readonly onFailure?: ((why: SpoolError) => void) | undefined
}

interface Waiting {
  readonly record: EncodedRecord
  readonly isMessage: boolean
  readonly resolve: (location: Location) => void
  readonly reject: (error: SpoolError) => void
}

const batchBytes = 4 << 20
const batchRecords = 500
const freeSegments = 3
const retryMs = 1000

export class Journal {
  readonly #options: JournalOptions
  readonly #sealed = new Map<string, Segment>()
  #active: { readonly segment: Segment; readonly fd: number; readonly stamp: Uint8Array } | undefined
  #waiting: Waiting[] = []
  #busy = false
  #closing = false
  #idle: (() => void)[] = []
  #failure: SpoolError | undefined
  /** The folder's own name is durable. */
  #folderIsSafe = false
  #free: string[] = []
  #retry: NodeJS.Timeout | undefined

  constructor(options: JournalOptions) {
    this.#options = options
  }

  /** Why nothing more is taken, when that is so. */
  get failure(): SpoolError | undefined {
    return this.#failure
  }

  /** Resolves when the record is on disk. */
  append(content: RecordContent): Promise<Location> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const record = encodeRecord(content)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, isMessage: content.type === 'message', resolve, reject })
      if (!this.#busy && this.#retry === undefined) this.#run()
    })
  }

  /** Segments written to the end, and those taken over from others. */
  sealed(): Segment[] {
    return [...this.#sealed.values()]
  }

  segments(): Segment[] {
    const active = this.#active
    return active === undefined ? this.sealed() : [...this.sealed(), active.segment]
  }

  /** The segment of this name, when it is ours. */
  segment(name: string): Segment | undefined {
    return this.#active?.segment.name === name ? this.#active.segment : this.#sealed.get(name)
  }

  /** Answers for a segment that another process wrote. */
  adopt(segment: Segment): void {
    this.#sealed.set(segment.name, segment)
  }

  /** Drops a sealed segment: nothing in it is needed any more. Its blocks are used again where that pays. */
  async drop(segment: Segment): Promise<void> {
    this.#sealed.delete(segment.name)
    if (this.#closing) return removeQuietly(segment.path)
    const free = `${this.#options.folder}/free-${segment.name}`
    const small = segment.size < this.#options.segmentBytes / 2
    try {
      const fd = await openFile(segment.path, 'write')
      try {
        // Durable before the file is used again, or removed and its tombstones forgotten: else a crash could bring back
        // what it held.
        await writeAt(fd, encodeSegmentHead(new Uint8Array(stampBytes)), 0)
        await syncData(fd)
      } finally {
        await closeFile(fd)
      }
      if (small || this.#free.length >= freeSegments) return removeQuietly(segment.path)
      renameFile(segment.path, free)
      this.#free.push(free)
    } catch {
      removeQuietly(segment.path)
    }
  }

  /** Waits for all that was appended. What a full disk keeps waiting is tried once more. */
  async settle(): Promise<void> {
    clearTimeout(this.#retry)
    this.#retry = undefined
    if (!this.#busy) this.#run()
    if (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve))
    clearTimeout(this.#retry)
  }

  /** Ends the segment being written, so that it can be dropped when all in it is done. Before closing. */
  async finish(): Promise<void> {
    await this.settle()
    this.#closing = true
    this.#seal()
  }

  /** Waits for all that was appended, and closes. */
  async close(): Promise<void> {
    await this.finish()
    this.#fail(new SpoolError('closed', 'the spool is closed'))
    for (const path of this.#free) removeQuietly(path)
  }

  #run(): void {
    const batch = this.#takeBatch()
    if (batch.length === 0) {
      this.#busy = false
      for (const resolve of this.#idle.splice(0)) resolve()
      return
    }
    this.#busy = true
    const bytes = batch.reduce((sum, { record }) => sum + record.length, 0)
    const active = this.#active
    if (active !== undefined && active.segment.size + bytes <= this.#options.segmentBytes) {
      this.#write(batch, active, bytes)
      return
    }
    this.#nextSegment().then(
      (next) => this.#write(batch, next, bytes),
      (error: unknown) => this.#refuse(batch, spoolError(error, 'a new segment cannot be made')),
    )
  }

  #takeBatch(): Waiting[] {
    const limit = Math.min(batchBytes, this.#options.segmentBytes)
    let bytes = 0
    let count = 0
    for (const { record } of this.#waiting) {
      if (count === batchRecords || (count > 0 && bytes + record.length > limit)) break
      bytes += record.length
      count++
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting
      this.#waiting = []
      return all
    }
    return this.#waiting.splice(0, count)
  }

  #write(batch: Waiting[], active: { segment: Segment; fd: number; stamp: Uint8Array }, bytes: number): void {
    const { segment, fd, stamp } = active
    const { crashPoint } = this.#options
    const pieces: Uint8Array[] = []
    const first = segment.size === 0
    if (first) pieces.push(encodeSegmentHead(stamp))
    const start = first ? segmentHeadBytes : segment.size
    for (const { record } of batch) {
      stampRecord(record, stamp)
      pieces.push(record.head)
      if (record.body !== undefined) pieces.push(record.body)
    }
    crashPoint('record-begun')
    writePieces(fd, pieces, segment.size, (writeError) => {
      if (writeError !== null) {
        const error = spoolError(writeError, 'writing to a segment')
        void this.#unwrite(active).then(() => this.#refuse(batch, error))
        return
      }
      crashPoint('record-written')
      syncDataThen(fd, (syncError) => {
        if (syncError !== null) {
          // What reached the disk is unknown and a second sync may lie: nothing is acknowledged from here on.
          const failure = new SpoolError('sync-failed', `syncing a segment: ${syncError.message}`)
          this.#waiting.unshift(...batch)
          this.#fail(failure)
          void this.#unwrite(active).then(() => this.#run())
          return
        }
        crashPoint('record-synced')
        segment.size = start + bytes
        let offset = start
        for (const { record, resolve } of batch) {
          resolve({ segment: segment.name, offset, length: record.length })
          offset += record.length
        }
        this.#run()
      })
    })
  }

  /** Whole records may be in the file although they were refused: they must not count. */
  async #unwrite(active: { segment: Segment; fd: number }): Promise<void> {
    const { segment, fd } = active
    try {
      await truncateFile(fd, segment.size)
    } catch {
      // The disk is past helping: a new segment is begun.
      this.#seal()
    }
  }

  /** Messages are refused at once; marks and tombstones tell of what has happened and wait for better times. */
  #refuse(batch: Waiting[], error: SpoolError): void {
    const kept = batch.filter(({ isMessage }) => !isMessage)
    for (const waiting of batch) if (waiting.isMessage) waiting.reject(error)
    this.#waiting.unshift(...kept)
    if (kept.length === 0) return this.#run()
    for (const waiting of this.#waiting.filter(({ isMessage }) => isMessage)) waiting.reject(error)
    this.#waiting = this.#waiting.filter(({ isMessage }) => !isMessage)
    this.#busy = false
    for (const resolve of this.#idle.splice(0)) resolve()
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#run()
    }, retryMs)
  }

  #fail(error: SpoolError): void {
    const first = this.#failure === undefined
    this.#failure ??= error
    if (first && error.code === 'sync-failed') this.#options.onFailure?.(error)
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }

  #seal(): void {
    const active = this.#active
    if (active === undefined) return
    this.#active = undefined
    this.#sealed.set(active.segment.name, active.segment)
    closeFile(active.fd).catch(() => {})
  }

  async #nextSegment(): Promise<{ segment: Segment; fd: number; stamp: Uint8Array }> {
    this.#seal()
    const stamp = randomBytes(stampBytes)
    const name = stamp.toString('hex')
    const path = `${this.#options.folder}/${name}`
    const used = this.#free.shift()
    let fd: number
    if (used === undefined) fd = await this.#newFile(path)
    else {
      // The name need not be durable: the head of the file tells it.
      renameFile(used, path)
      fd = await openFile(path, 'write')
    }
    this.#options.crashPoint('segment-made')
    this.#active = { segment: { name, path, size: 0, tombstones: new Map() }, fd, stamp }
    return this.#active
  }

  async #newFile(path: string): Promise<number> {
    const { folder, owner } = this.#options
    const fd = await createFile(path, owner)
    try {
      await syncFolder(folder)
      if (!this.#folderIsSafe) await syncFolder(dirname(folder))
      this.#folderIsSafe = true
      return fd
    } catch (error) {
      await closeFile(fd)
      removeQuietly(path)
      throw error
    }
  }
}
