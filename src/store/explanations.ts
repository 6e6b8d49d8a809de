/**
 * Explanations of the latest sessions and deliveries, in files of this process's own below the spool. They may be lost:
 * nothing is synced, and what cannot be written is dropped. Space is bounded by number and by bytes: a file that is full is
 * closed, and the oldest goes when the others hold enough. A door: it reads and writes files.
 *
 * One line an explanation: a head in JSON, a tab, the steps in JSON.
 */
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

/** What is known of an explanation without reading it. */
export interface ExplanationHead {
  readonly trace: string
  readonly kind: 'session' | 'delivery'
  /** Milliseconds since 1970. */
  readonly at: number
  readonly what: string
  /** Messages it is about. */
  readonly ids: readonly string[]
  readonly refused: boolean
}

export interface StoredExplanation extends ExplanationHead {
  /** The steps, as they were given. */
  readonly body: string
}

export interface ExplanationWriter {
  add(head: ExplanationHead, body: string): void
  /** How many are to be kept; from another configuration. */
  keep(most: number): void
  close(): Promise<void>
}

export interface WriterOptions {
  readonly directory: string
  readonly most: number
  readonly log: (line: string) => void
  /** Whose new files are to be, when this process is root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

/** What all explanations together may take, each on average. */
const bytesEach = 16 * 1024
const leastBytes = 4 * 2 ** 20
/** A file holds this part of what is kept. */
const filesKept = 8
const flushMs = 200
/** So much is written at once. */
const writeAt = 64 * 1024
/** More than this does not wait for a slow disk. */
const mostWaiting = 8 * 2 ** 20
const complainMs = 60_000

export function openExplanations(options: WriterOptions): ExplanationWriter {
  return new Writer(options)
}

interface OpenFile {
  readonly handle: FileHandle
  entries: number
  bytes: number
}

class Writer implements ExplanationWriter {
  readonly #options: WriterOptions
  #most: number
  #waiting: string[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #file: OpenFile | undefined
  #complainedAt = 0
  #files = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#most = options.most
  }

  keep(most: number): void {
    this.#most = most
  }

  add(head: ExplanationHead, body: string): void {
    const line = `${JSON.stringify(head)}\t${body}\n`
    if (this.#waitingBytes + line.length > mostWaiting) return
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    if (this.#waitingBytes > writeAt) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), flushMs)
  }

  async close(): Promise<void> {
    this.#flush()
    await this.#writing
    await this.#file?.handle.close().catch(() => undefined)
    this.#file = undefined
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const lines = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    if (lines.length > 0) this.#writing = this.#writing.then(() => this.#write(lines))
  }

  async #write(lines: readonly string[]): Promise<void> {
    const full = Math.max(1, Math.ceil(this.#most / filesKept))
    try {
      for (let done = 0; done < lines.length; ) {
        const file = (this.#file ??= await this.#begin())
        const piece = lines.slice(done, done + Math.max(1, full - file.entries))
        const bytes = Buffer.from(piece.join(''))
        await file.handle.write(bytes)
        file.entries += piece.length
        file.bytes += bytes.length
        done += piece.length
        if (file.entries >= full || file.bytes >= full * bytesEach) await this.#end()
      }
    } catch (error) {
      // What is half written is no line and is passed over.
      await this.#end().catch(() => undefined)
      this.#complain(error)
    }
  }

  async #begin(): Promise<OpenFile> {
    const { directory, owner } = this.#options
    mkdirSync(directory, { recursive: true, mode: 0o750 })
    // Several in one millisecond are told apart by their number.
    const name = `${Date.now().toString(36).padStart(9, '0')}.${String(this.#files++ % 1000).padStart(3, '0')}.${process.pid}.explanations`
    const path = join(directory, name)
    const handle = await open(path, 'ax', 0o640)
    if (owner !== undefined && process.geteuid?.() === 0) {
      chownSync(directory, owner.uid, owner.gid)
      await handle.chown(owner.uid, owner.gid)
    }
    return { handle, entries: 0, bytes: 0 }
  }

  async #end(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close()
    removeOld(this.#options.directory, this.#most)
  }

  #complain(error: unknown): void {
    if (Date.now() - this.#complainedAt < complainMs) return
    this.#complainedAt = Date.now()
    const why = error instanceof Error ? error.message : String(error)
    this.#options.log(`explanations cannot be written and are dropped: ${why}`)
  }
}

/** Removes the oldest files: those without which enough is left, and those beyond the space allowed. */
function removeOld(directory: string, most: number): void {
  const files = filesOf(directory).map((path) => ({ path, ...measure(path) }))
  let entries = files.reduce((sum, file) => sum + file.entries, 0)
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const room = Math.max(leastBytes, most * bytesEach)
  for (const file of files) {
    if (entries - file.entries < most && bytes <= room) break
    rmSync(file.path, { force: true })
    entries -= file.entries
    bytes -= file.bytes
  }
}

/** Lines are counted once; a file that another process still writes is counted anew. */
const counted = new Map<string, { readonly entries: number; readonly bytes: number }>()

function measure(path: string): { readonly entries: number; readonly bytes: number } {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const known = counted.get(path)
  if (known?.bytes === size) return known
  const bytes = read(path)
  let entries = 0
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) entries++
  const measured = { entries, bytes: bytes.length }
  if (counted.size > 1000) counted.clear()
  counted.set(path, measured)
  return measured
}

/** From the oldest to the newest. */
function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.explanations'))
      .sort()
      .map((name) => join(directory, name))
  } catch {
    return []
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    // Removed meanwhile: it was the oldest.
    return Buffer.alloc(0)
  }
}

/** The newest explanations that are wanted, the newest first. */
export function findExplanations(
  directory: string,
  wanted: (head: ExplanationHead) => boolean,
  most: number,
): StoredExplanation[] {
  const found: StoredExplanation[] = []
  for (const path of filesOf(directory).reverse()) {
    for (const line of linesOf(read(path))) {
      const tab = line.indexOf(9)
      const head = tab < 0 ? undefined : readHead(line.toString('utf8', 0, tab))
      if (head === undefined || !wanted(head)) continue
      found.push({ ...head, body: line.toString('utf8', tab + 1) })
      if (found.length < most * 2 + 1000) continue
      found.sort((a, b) => b.at - a.at).length = most
    }
  }
  return found.sort((a, b) => b.at - a.at).slice(0, most)
}

export function explanationsKept(directory: string): boolean {
  return filesOf(directory).length > 0
}

/** Whole lines only. */
function* linesOf(bytes: Buffer): Iterable<Buffer> {
  let start = 0
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, start)) {
    yield bytes.subarray(start, at)
    start = at + 1
  }
}

function readHead(text: string): ExplanationHead | undefined {
  try {
    // Written by this file; a damaged line is no JSON.
    return JSON.parse(text) as ExplanationHead
  } catch {
    return undefined
  }
}
