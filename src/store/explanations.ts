/**
 * Explanations of the latest sessions and deliveries, in files below the spool: a daemon's processes have files of their own,
 * short calls share one, to which each adds what it has in one write. They may be lost:
 * nothing is synced, and what cannot be written is dropped. Space is bounded by number and by bytes: a file that is full is
 * closed, and the oldest goes when the others hold enough. A door: it reads and writes files.
 *
 * A file is a row of records: a letter, the length of what follows (four bytes, the least significant first), and
 *
 *   F   the words `postern explanations 3`: a file begins, or what another process has added to it
 *   D   words and places that explanations name by number, in JSON: the number of their table, and those that are new
 *   E   an explanation: the number of its table and the length of its head (four bytes each), its time (eight), the head (see
 *       `headText`), the steps
 *
 * Of a damaged file all is found up to the damage, and from the next F on.
 */
import {
  accessSync,
  chownSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteString } from '../base/text.ts'
import { errorCode } from './spool/disk.ts'

/** What is known of an explanation without reading it. */
export interface ExplanationHead {
  readonly trace: string
  readonly kind: 'session' | 'delivery'
  /** Milliseconds since 1970. */
  readonly at: number
  readonly what: ByteString
  /** Messages it is about. */
  readonly ids: readonly string[]
  readonly refused: boolean
}

export interface StoredExplanation<D> extends ExplanationHead {
  /** The steps, as they were given. */
  readonly steps: Uint8Array
  /** What they name by number. */
  readonly definitions: readonly D[]
}

/** Words that steps name by number; it only grows. */
export interface Definitions {
  readonly size: number
  from(number: number): readonly unknown[]
}

export interface ExplanationWriter {
  /** The steps are copied: the first so many bytes. */
  add(head: ExplanationHead, steps: Buffer, length: number, definitions: Definitions): void
  /** How many are to be kept; from another configuration. */
  keep(most: number): void
  close(): Promise<void>
}

export interface WriterOptions {
  readonly directory: string
  readonly most: number
  readonly log: (line: string) => void
  /** Short calls put theirs into one file: each would leave one of its own. */
  readonly shared?: boolean
  /** Whose new files are to be, when this process is root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
}

/** What all explanations together may take, each on average. */
const bytesEach = 16 * 1024
const leastBytes = 4 * 2 ** 20
/** A shared file is full when each took so much: how many are in it would have to be counted. */
const sharedBytesEach = 4 * 1024
/** A file holds this part of what is kept. */
const filesKept = 8
const flushMs = 200
/** So much is written at once. */
const writeAt = 256 * 1024
/** More than this does not wait for a slow disk. */
const mostWaiting = 8 * 2 ** 20
const complainMs = 60_000

const format = Buffer.from('postern explanations 3')
const headBytes = 5
/** Those that an explanation begins with. */
const numberBytes = 16
const ownEnd = '.explanations'
const sharedEnd = '.shared.explanations'
const letters = { format: 0x46, definitions: 0x44, explanation: 0x45 } as const

export function openExplanations(options: WriterOptions): ExplanationWriter {
  return new Writer(options)
}

/** What goes into one file at once. */
interface Batch {
  readonly buffer: Buffer
  length: number
  entries: number
  readonly file: number
  /** Nothing more goes into this file. */
  last: boolean
}

interface OpenFile {
  readonly handle: FileHandle
  readonly number: number
  /** What this process has put into it. */
  entries: number
  bytes: number
}

class Writer implements ExplanationWriter {
  readonly #options: WriterOptions
  #most: number
  #batch: Batch | undefined
  #spare: Buffer | undefined
  #timer: NodeJS.Timeout | undefined
  #waitingBytes = 0
  #writing: Promise<void> = Promise.resolve()
  #open: OpenFile | undefined
  #complainedAt = 0
  /** Of the file that is being filled: its number, and what has been put into it. */
  #file = 0
  #entries = 0
  #bytes = 0
  readonly #tables = new Map<Definitions, { readonly number: number; written: number }>()

  constructor(options: WriterOptions) {
    this.#options = options
    this.#most = options.most
  }

  keep(most: number): void {
    this.#most = most
  }

  add(head: ExplanationHead, steps: Buffer, length: number, definitions: Definitions): void {
    const full = Math.max(1, Math.ceil(this.#most / filesKept))
    if (this.#entries >= full || this.#bytes >= full * bytesEach) this.#endFile()
    if (this.#waitingBytes > mostWaiting) return
    if (this.#bytes === 0) this.#put(letters.format, format)
    let table = this.#tables.get(definitions)
    if (table === undefined)
      this.#tables.set(definitions, (table = { number: this.#tables.size, written: 0 }))
    if (table.written < definitions.size) {
      const added = definitions.from(table.written)
      this.#put(letters.definitions, Buffer.from(JSON.stringify([table.number, added])))
      table.written = definitions.size
    }
    this.#putExplanation(table.number, head, steps, length)
    this.#entries++
    // A short call ends soon, and writes then.
    if (this.#options.shared !== true) this.#timer ??= setTimeout(() => this.#flush(), flushMs)
  }

  async close(): Promise<void> {
    this.#flush()
    await this.#writing
    await this.#open?.handle.close().catch(() => undefined)
    this.#open = undefined
  }

  #put(letter: number, content: Buffer): void {
    const batch = this.#roomFor(headBytes + content.length)
    const { buffer, length: at } = batch
    content.copy(buffer, at + headBytes)
    this.#close(batch, letter, content.length)
  }

  #putExplanation(table: number, head: ExplanationHead, steps: Buffer, length: number): void {
    const text = headText(head)
    const batch = this.#roomFor(headBytes + numberBytes + text.length + length)
    const { buffer } = batch
    const start = batch.length + headBytes
    buffer.writeUInt32LE(table, start)
    buffer.writeUInt32LE(text.length, start + 4)
    buffer.writeDoubleLE(head.at, start + 8)
    let at = start + numberBytes
    // It is short, and a call out of JavaScript costs more than it.
    for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i)
    steps.copy(buffer, at, 0, length)
    batch.entries++
    this.#close(batch, letters.explanation, numberBytes + text.length + length)
  }

  /** The content of a record stands there; now its beginning. */
  #close(batch: Batch, letter: number, length: number): void {
    batch.buffer[batch.length] = letter
    batch.buffer.writeUInt32LE(length, batch.length + 1)
    batch.length += headBytes + length
    this.#bytes += headBytes + length
  }

  #roomFor(bytes: number): Batch {
    if (this.#batch !== undefined && this.#batch.length + bytes > this.#batch.buffer.length) {
      // What is added to a shared file is whole in itself.
      if (this.#options.shared === true) this.#endFile()
      else this.#flush()
    }
    if (this.#batch !== undefined) return this.#batch
    const spare = bytes <= writeAt ? this.#spare : undefined
    if (spare !== undefined) this.#spare = undefined
    const buffer = spare ?? Buffer.allocUnsafeSlow(Math.max(bytes, writeAt))
    return (this.#batch = { buffer, length: 0, entries: 0, file: this.#file, last: false })
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#batch
    this.#batch = undefined
    if (batch === undefined) return
    this.#waitingBytes += batch.length
    this.#writing = this.#writing.then(() => this.#write(batch))
  }

  /** What comes next goes into another file. */
  #endFile(): void {
    const batch = (this.#batch ??= {
      buffer: Buffer.alloc(0),
      length: 0,
      entries: 0,
      file: this.#file,
      last: true,
    })
    batch.last = true
    this.#flush()
    this.#file++
    this.#entries = 0
    this.#bytes = 0
    this.#tables.clear()
  }

  async #write(batch: Batch): Promise<void> {
    try {
      if (batch.length > 0) await this.#writeInto(await this.#fileFor(batch), batch)
      if (batch.last) await this.#closeFile()
    } catch (error) {
      // What is half written is passed over; what follows would name words that this file does not have.
      if (batch.file === this.#file) this.#endFile()
      await this.#closeFile().catch(() => undefined)
      this.#complain(error)
    } finally {
      this.#waitingBytes -= batch.length
      if (batch.buffer.length === writeAt) this.#spare = batch.buffer
    }
  }

  async #writeInto(file: OpenFile | undefined, { buffer, length, entries }: Batch): Promise<void> {
    for (let done = 0; file !== undefined && done < length; ) {
      const { bytesWritten } = await file.handle.write(buffer, done, length - done)
      done += bytesWritten
    }
    if (file === undefined) return
    file.entries += entries
    file.bytes += length
  }

  /** Undefined: its file could not be written to before. */
  async #fileFor(batch: Batch): Promise<OpenFile | undefined> {
    if (this.#open?.number === batch.file) return this.#open
    const begins = batch.buffer[0] === letters.format
    return begins
      ? (this.#open = { handle: await this.#begin(batch.file), number: batch.file, entries: 0, bytes: 0 })
      : undefined
  }

  /** Where the file is that was begun last; a shared one is counted by reading it. */
  #path: string | undefined

  async #begin(number: number): Promise<FileHandle> {
    const { directory, owner } = this.#options
    mkdirSync(directory, { recursive: true, mode: 0o750 })
    const shared = this.#options.shared === true ? await this.#openShared() : undefined
    if (shared !== undefined) return shared
    // Several in one millisecond are told apart by their number.
    const name = `${Date.now().toString(36).padStart(9, '0')}.${String(number % 1000).padStart(3, '0')}.${process.pid}${this.#options.shared === true ? sharedEnd : ownEnd}`
    const path = join(directory, name)
    const handle = await open(path, 'ax', 0o640)
    this.#path = this.#options.shared === true ? undefined : path
    if (owner !== undefined && process.geteuid?.() === 0) {
      chownSync(directory, owner.uid, owner.gid)
      await handle.chown(owner.uid, owner.gid)
    }
    if (this.#options.shared === true) removeOld(directory, this.#most)
    return handle
  }

  /** The file to which calls before this one have added; undefined: there is none, or it is full. */
  async #openShared(): Promise<FileHandle | undefined> {
    const { directory } = this.#options
    const path = filesOf(directory).findLast((each) => each.endsWith(sharedEnd))
    const full = Math.ceil(this.#most / filesKept) * sharedBytesEach
    const stat = path === undefined ? undefined : lstatSync(path, { throwIfNoEntry: false })
    if (path === undefined || stat?.isFile() !== true || stat.size >= full) return undefined
    return open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW)
  }

  async #closeFile(): Promise<void> {
    const file = this.#open
    this.#open = undefined
    await file?.handle.close()
    // Known without reading it.
    if (file !== undefined && this.#path !== undefined)
      counted.set(this.#path, { entries: file.entries, bytes: file.bytes })
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
    counted.delete(file.path)
    entries -= file.entries
    bytes -= file.bytes
  }
}

/** Explanations are counted once; a file that another process still writes is counted anew. */
const counted = new Map<string, { readonly entries: number; readonly bytes: number }>()

function measure(path: string): { readonly entries: number; readonly bytes: number } {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const known = counted.get(path)
  if (known?.bytes === size) return known
  const bytes = read(path)
  let entries = 0
  for (const { letter } of recordsOf(bytes)) if (letter === letters.explanation) entries++
  const measured = { entries, bytes: bytes.length }
  if (counted.size > 1000) counted.clear()
  counted.set(path, measured)
  return measured
}

/** From the oldest to the newest. */
function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(ownEnd))
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

interface Found {
  readonly head: ExplanationHead
  readonly steps: Buffer
  readonly table: unknown[]
}

/**
 * The newest explanations that are wanted, the newest first.
 * @param isDefinition whether something is what `Definitions` gave; what is not is damaged
 */
export function findExplanations<D>(
  directory: string,
  wanted: (head: ExplanationHead) => boolean,
  most: number,
  isDefinition: (value: unknown) => value is D,
): StoredExplanation<D>[] {
  const found: Found[] = []
  for (const path of filesOf(directory).reverse()) {
    for (const each of explanationsOf(read(path), wanted)) {
      // The file's own bytes would be kept for the sake of a few.
      found.push({ ...each, steps: Buffer.from(each.steps) })
      if (found.length < most * 2 + 1000) continue
      found.sort((a, b) => b.head.at - a.head.at).length = most
    }
  }
  return found
    .sort((a, b) => b.head.at - a.head.at)
    .slice(0, most)
    .flatMap(({ head, steps, table }) =>
      table.every(isDefinition) ? [{ ...head, steps, definitions: table }] : [],
    )
}

export function explanationsKept(directory: string): boolean {
  return filesOf(directory).length > 0
}

/** The folder, or a file in it, that this process may not read. */
export interface Unreadable {
  readonly path: string
  readonly error: unknown
  /** Undefined: that, too, cannot be seen. */
  readonly owner: { readonly uid: number; readonly mode: number } | undefined
}

export function unreadableExplanations(directory: string): Unreadable | undefined {
  const trouble = troubleOf(directory, () => readdirSync(directory))
  if (trouble !== undefined) return trouble
  for (const path of filesOf(directory)) {
    const found = troubleOf(path, () => accessSync(path, constants.R_OK))
    if (found !== undefined) return found
  }
  return undefined
}

function troubleOf(path: string, use: () => void): Unreadable | undefined {
  try {
    use()
    return undefined
  } catch (error) {
    // A folder that nobody has made yet, and the oldest file, which is removed at any time.
    if (errorCode(error) === 'ENOENT') return undefined
    return { path, error, owner: ownerOf(path) }
  }
}

function ownerOf(path: string): Unreadable['owner'] {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function* explanationsOf(bytes: Buffer, wanted: (head: ExplanationHead) => boolean): Iterable<Found> {
  let tables = new Map<number, unknown[]>()
  for (const { letter, content } of recordsOf(bytes)) {
    if (letter === letters.format) tables = new Map()
    else if (letter === letters.definitions) define(content, tables)
    else if (content.length >= numberBytes) {
      const start = numberBytes + content.readUInt32LE(4)
      const head = readHead(content.readDoubleLE(8), content.toString('latin1', numberBytes, start))
      const table = tables.get(content.readUInt32LE(0)) ?? []
      if (head !== undefined && wanted(head)) yield { head, steps: content.subarray(start), table }
    }
  }
}

function define(content: Buffer, tables: Map<number, unknown[]>): void {
  const parsed = json(content.toString('utf8'))
  if (!Array.isArray(parsed)) return
  const [number, added]: unknown[] = parsed
  if (typeof number !== 'number' || !Array.isArray(added)) return
  const table = tables.get(number) ?? []
  tables.set(number, table)
  for (const each of added) table.push(each)
}

/** Whole records only; after damage from the next beginning on. */
function* recordsOf(bytes: Buffer): Iterable<{ readonly letter: number; readonly content: Buffer }> {
  const letterSet: ReadonlySet<number> = new Set(Object.values(letters))
  for (let at = beginningFrom(bytes, 0); at + headBytes <= bytes.length; ) {
    const letter = bytes[at] ?? 0
    const start = at + headBytes
    const end = start + bytes.readUInt32LE(at + 1)
    if (!letterSet.has(letter) || end > bytes.length) {
      at = beginningFrom(bytes, at + 1)
      continue
    }
    yield { letter, content: bytes.subarray(start, end) }
    at = end
  }
}

function beginningFrom(bytes: Buffer, at: number): number {
  const found = bytes.indexOf(beginning, at)
  return found < 0 ? bytes.length : found
}

const beginning = Buffer.concat([Buffer.from([letters.format, format.length, 0, 0, 0]), format])

/** A line each: trace, kind with `!` when something was refused, messages, and what it is of. */
function headText({ trace, kind, what, ids, refused }: ExplanationHead): ByteString {
  return `${trace}\n${kind}${refused ? '!' : ''}\n${ids.length > 1 ? ids.join(' ') : (ids[0] ?? '')}\n${what}`
}

function readHead(at: number, text: ByteString): ExplanationHead | undefined {
  const [trace = '', kind = '', ids = '', ...what] = text.split('\n')
  const refused = kind.endsWith('!')
  if (!/^(?:session|delivery)!?$/.test(kind)) return undefined
  return {
    trace,
    kind: kind.startsWith('session') ? 'session' : 'delivery',
    at,
    what: what.join('\n'),
    ids: ids === '' ? [] : ids.split(' '),
    refused,
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
