/**
 * Events on their way to a consumer. Each process appends to a file of its own; whoever holds the lock reads them all,
 * merged by time, and forgets what the consumer has taken.
 *
 * Contract: a line that was appended survives the death of the process, and a power cut once `synced` has resolved.
 * Lines of one message come in the order they were appended, whichever processes did it: a message is worked on by
 * one process at a time, and a line is read only when nothing older can still be written.
 *
 * A line is stored as `MICROSECONDS TEXT`, counted from the boot: all processes share that clock, and nobody sets it. Files are named `PID.START.BOOT.NUMBER`; only the newest of a living
 * process still grows.
 */
import { closeSync, constants, fdatasync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import {
  errorCode,
  type FileOwner,
  fileInfo,
  fileMode,
  listFolder,
  makeFolder,
  readSmallFile,
  removeQuietly,
  restrict,
  writeSmallFile,
} from '../spool/disk.ts'
import { bootId, isAlive, ownProcessKey, type ProcessKey } from '../spool/process-key.ts'

/** A file that has grown to this, or to a quarter of all room, is followed by the next one, so that what is taken can be removed. */
const fileLimitBytes = 4 << 20
/** How much of one file is looked at in one go. */
const readBytes = 1 << 18
/** A line is written at once after its time was taken: what is older than this is in its file. */
const settleMicroseconds = 50_000
/** What an earlier boot left is older than all else. */
const earlierBoot = 2 ** 50

export interface JournalOptions {
  readonly folder: string
  readonly owner?: FileOwner | undefined
  /** Most bytes, of all files together, that wait for the consumer. */
  readonly limitBytes: number
  readonly now: () => number
  readonly log: (line: string) => void
}

export class EventJournal {
  readonly #options: JournalOptions
  readonly #key: ProcessKey = ownProcessKey()
  #fd: number | undefined
  #number = 0
  #written = 0
  #measuredAt = 0
  #total = 0
  #lost = 0
  #syncing: Promise<void> | undefined
  #wanted: Promise<void> | undefined

  constructor(options: JournalOptions) {
    this.#options = options
    makeFolder(options.folder, options.owner)
  }

  get key(): ProcessKey {
    return this.#key
  }

  /** Takes a line; false when there is no room for it, or the disk refuses. What was lost is told when there is room again. */
  append(text: string): boolean {
    const lost = this.#lost
    const lines = lost === 0 ? [text] : [JSON.stringify({ event: 'stream:lost', count: lost }), text]
    const bytes = Buffer.from(lines.map((line) => `${sinceBoot()} ${line}\n`).join(''))
    if (this.#bytes() + bytes.length > this.#options.limitBytes)
      return this.#lose('no room: event_stream_size')
    try {
      writeSync(this.#file(), bytes)
    } catch (error) {
      return this.#lose(errorCode(error))
    }
    this.#written += bytes.length
    this.#total += bytes.length
    if (lost > 0) this.#options.log(`event_stream: ${lost} events were lost`)
    this.#lost = 0
    return true
  }

  /** Resolves when all that was appended before is on the disk; syncs that are asked for together are one. */
  synced(): Promise<void> {
    if (this.#syncing === undefined)
      return (this.#syncing = this.#sync().finally(() => (this.#syncing = undefined)))
    // One that has begun may have missed the last lines.
    const running = this.#syncing
    return (this.#wanted ??= running.then(() => {
      this.#wanted = undefined
      return this.synced()
    }))
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  #lose(why: string): false {
    if (this.#lost++ === 0) this.#options.log(`event_stream: an event cannot be kept (${why})`)
    return false
  }

  #sync(): Promise<void> {
    const fd = this.#fd
    if (fd === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      fdatasync(fd, () => resolve())
    })
  }

  #bytes(): number {
    const now = this.#options.now()
    if (now - this.#measuredAt > 2000 || now < this.#measuredAt) {
      this.#measuredAt = now
      this.#total = waitingBytes(this.#options.folder)
    }
    return this.#total
  }

  #file(): number {
    if (this.#fd !== undefined && this.#written < Math.min(fileLimitBytes, this.#options.limitBytes / 4))
      return this.#fd
    const full = this.#fd
    if (full !== undefined) fdatasync(full, () => closeSync(full))
    this.#fd = undefined
    for (;;) {
      this.#number++
      const path = `${this.#options.folder}/${this.#key}.${this.#number}`
      try {
        const { O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
        const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode)
        restrict(path, this.#options.owner)
        this.#fd = fd
        this.#written = 0
        return fd
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error
      }
    }
  }
}

/** What a reader hands on, and how far it has then come. */
export interface JournalBatch {
  readonly lines: readonly string[]
  /** To be called when the consumer has them. */
  taken(): void
}

interface Waiting {
  readonly file: string
  readonly time: number
  readonly text: string
  readonly end: number
}

/** Reads what all processes wrote. Only the holder of the lock may. */
export class JournalReader {
  readonly #folder: string
  readonly #owner: FileOwner | undefined
  readonly #positions: Map<string, number>

  constructor(folder: string, owner: FileOwner | undefined) {
    this.#folder = folder
    this.#owner = owner
    this.#positions = readPositions(folder)
  }

  /** The oldest lines that are not taken yet; undefined: there are none now. */
  next(most: number): JournalBatch | undefined {
    // What is not older than this may still be overtaken by a line that is being written.
    let until = sinceBoot() - settleMicroseconds
    const waiting: Waiting[] = []
    const files = journalFiles(this.#folder)
    for (const file of files) {
      const { lines, more } = this.#read(file)
      waiting.push(...lines)
      const last = lines.at(-1)
      if (more && last !== undefined) until = Math.min(until, last.time)
    }
    const due = waiting.filter(({ time }) => time <= until)
    due.sort((a, b) => a.time - b.time || (a.file === b.file ? a.end - b.end : 0))
    const chosen = due.slice(0, most)
    if (chosen.length === 0) {
      this.#removeTaken(files)
      return undefined
    }
    return {
      lines: chosen.map(({ text }) => text),
      taken: () => {
        for (const { file, end } of chosen) this.#positions.set(file, end)
        this.#save()
        this.#removeTaken(files)
      },
    }
  }

  #read(file: string): { readonly lines: Waiting[]; readonly more: boolean } {
    const start = this.#positions.get(file) ?? 0
    let bytes: Buffer
    try {
      const fd = openSync(`${this.#folder}/${file}`, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        bytes = Buffer.alloc(Math.min(readBytes, Math.max(0, fstatSync(fd).size - start)))
        bytes = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, start))
      } finally {
        closeSync(fd)
      }
    } catch {
      return { lines: [], more: false }
    }
    const lines: Waiting[] = []
    const shift = file.includes(`.${bootId()}.`) ? 0 : -earlierBoot
    let from = 0
    for (let to = bytes.indexOf(10); to >= 0; to = bytes.indexOf(10, from)) {
      const line = bytes.toString('utf8', from, to)
      const space = line.indexOf(' ')
      from = to + 1
      // A line that a power cut left half written is passed over.
      const time = Number(line.slice(0, space))
      if (space > 0 && time > 0)
        lines.push({ file, time: time + shift, text: line.slice(space + 1), end: start + from })
    }
    return { lines, more: bytes.length === readBytes }
  }

  /** Files that nobody will append to and that are taken whole. */
  #removeTaken(files: readonly string[]): void {
    let changed = false
    for (const file of files) {
      const [, key = '', number = '0'] = /^(.*)\.(\d+)$/.exec(file) ?? []
      const followed = files.some(
        (other) => other.startsWith(`${key}.`) && Number(other.slice(key.length + 1)) > Number(number),
      )
      if (!followed && isAlive(key)) continue
      const size = sizeOfFile(`${this.#folder}/${file}`)
      // What follows the last whole line of a dead process is a half line.
      if (size - (this.#positions.get(file) ?? 0) > 0 && this.#read(file).lines.length > 0) continue
      removeQuietly(`${this.#folder}/${file}`)
      changed = this.#positions.delete(file) || changed
    }
    if (changed) this.#save()
  }

  #save(): void {
    writeSmallFile(
      this.#folder,
      'positions',
      JSON.stringify(Object.fromEntries(this.#positions)),
      this.#owner,
    )
  }
}

function sinceBoot(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

function readPositions(folder: string): Map<string, number> {
  try {
    const value: unknown = JSON.parse(readSmallFile(`${folder}/positions`)?.toString() ?? '{}')
    if (typeof value !== 'object' || value === null) return new Map()
    return new Map(
      Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
    )
  } catch {
    // Taken once more: at least once is the promise.
    return new Map()
  }
}

function journalFiles(folder: string): string[] {
  return listFolder(folder).filter((name) => /^\d+\.\d+\.[0-9a-z]+\.\d+$/.test(name))
}

function waitingBytes(folder: string): number {
  const taken = readPositions(folder)
  return journalFiles(folder).reduce(
    (sum, file) => sum + Math.max(0, sizeOfFile(`${folder}/${file}`) - (taken.get(file) ?? 0)),
    0,
  )
}

function sizeOfFile(path: string): number {
  try {
    return fileInfo(path).size
  } catch {
    return 0
  }
}
