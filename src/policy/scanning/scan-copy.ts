/**
 * The copy of a message that scanners read: `SPOOL/scan/ID/ID.eml`, made when the first of them is asked, and the files that
 * `decode` puts beside it. Source: Exim manual, "Content scanning at ACL time".
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rm, stat, chown } from 'node:fs/promises'
import { type ByteString, fromBytes, toBytes } from '../../base/text.ts'
import type { Context, MessageFacts } from '../../ports.ts'

const KEY = 'scan copy'
const fileMode = 0o640
const folderMode = 0o750
/** Pieces in which files are read: a few milliseconds of work each. */
const pieceBytes = 16_384

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_TRUNC, O_WRONLY } = constants

/** Where the body of the message under reception can be read. */
export interface ScanSource {
  read(): AsyncIterable<Uint8Array>
}

export interface ScanFile {
  readonly path: string
  readonly size: number
}

/** What scanners are given. */
export interface ScanSubject {
  readonly folder: string
  /** Made when it is first asked for. */
  file(): Promise<ScanFile>
}

export class ScanCopy implements ScanSubject {
  readonly #source: ScanSource
  readonly #context: Context
  readonly #message: MessageFacts
  #made: Promise<ScanFile> | undefined
  #folderMade = false
  #number = 0
  #hidden = 0

  constructor(source: ScanSource, context: Context, message: MessageFacts) {
    this.#source = source
    this.#context = context
    this.#message = message
  }

  get folder(): string {
    return `${this.#context.server.spoolDirectory}/scan/${this.#message.id}`
  }

  /** The file; made once. Rejects when the disk refuses. */
  file(): Promise<ScanFile> {
    this.#made ??= this.#make()
    return this.#made
  }

  /** The next name that `decode` gives by itself, in a folder of the configuration or in ours. */
  nextName(folder: string = this.folder): string {
    return `${folder}/${this.#message.id}-${String(this.#number++).padStart(5, '0')}`
  }

  /** A name for a message within the message, removed once it has been looked at. */
  hiddenName(): string {
    return `${this.folder}/__rfc822_${String(this.#hidden++).padStart(5, '0')}`
  }

  /** Writes a file; an older one of that name is replaced, links are not followed. */
  async write(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
    await this.#makeFolder()
    const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, fileMode)
    return this.#fill(file, pieces)
  }

  async #make(): Promise<ScanFile> {
    await this.#makeFolder()
    const path = `${this.folder}/${this.#message.id}.eml`
    const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode)
    return { path, size: await this.#fill(file, this.#whole()) }
  }

  async *#whole(): AsyncGenerator<Uint8Array> {
    yield toBytes(this.#head())
    yield* this.#source.read()
  }

  #head(): ByteString {
    const { recipients, headers, sender } = this.#message
    const date = new Date(this.#context.ports.now())
    const day = date.toUTCString().slice(0, 3)
    const month = date.toUTCString().slice(8, 11)
    const two = (value: number): string => String(value).padStart(2, '0')
    const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
    const from = `From MAILER-DAEMON ${day} ${month} ${two(date.getDate())} ${time} ${date.getFullYear()}\n`
    const to = recipients.map((each) => each.address).join(', ')
    const envelope = `X-Envelope-From: <${sender ?? ''}>\nX-Envelope-To: ${to}\n`
    const kept = headers.filter(({ type }) => type !== '*').map(({ text }) => text)
    return `${from}${envelope}${kept.join('')}\n`
  }

  async #fill(file: FileHandle, pieces: AsyncIterable<Uint8Array>): Promise<number> {
    let size = 0
    try {
      await this.#own(file)
      for await (const piece of pieces) {
        await file.writeFile(piece)
        size += piece.length
      }
    } finally {
      await file.close()
    }
    return size
  }

  /** Started by root, the server's files are those of the run-time user. */
  async #own(what: FileHandle | string): Promise<void> {
    if (process.geteuid?.() !== 0) return
    const { eximUid, eximGid } = this.#context.server
    if (typeof what === 'string') await chown(what, eximUid, eximGid)
    else await what.chown(eximUid, eximGid)
  }

  async #makeFolder(): Promise<void> {
    if (this.#folderMade) return
    const { spoolDirectory } = this.#context.server
    for (const path of [spoolDirectory, `${spoolDirectory}/scan`, this.folder]) {
      try {
        await mkdir(path, { mode: folderMode })
        await this.#own(path)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      }
    }
    this.#folderMade = true
  }

  /** Removes everything, unless `control = no_mbox_unspool` asks to keep it. */
  async close(): Promise<void> {
    await this.#made?.catch(() => undefined)
    if (!this.#folderMade || this.#message.controls.noMboxUnspool) return
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Reads a stretch of a file in pieces that are small enough to be worked through at once. */
export async function* readStretch(path: string, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW)
  try {
    let at = start
    while (at < end) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, end - at))
      const { bytesRead } = await file.read(piece, 0, piece.length, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield piece.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** A file that is there already. Rejects when it is not. */
export async function fileAt(path: string): Promise<ScanFile> {
  try {
    return { path, size: (await stat(path)).size }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new Error(`cannot read ${path} (${code})`, { cause: error })
  }
}

/** At most so many first bytes of a file. */
export async function readStart(path: string, most: number): Promise<ByteString> {
  let text = ''
  for await (const piece of readStretch(path, 0, most)) text += fromBytes(piece)
  return text
}

export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true })
}

export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
}

export function keepScanCopy(message: MessageFacts, copy: ScanCopy): void {
  message.extra.set(KEY, copy)
}

export function scanCopyOf(message: Pick<MessageFacts, 'extra'> | undefined): ScanCopy | undefined {
  const copy = message?.extra.get(KEY)
  return copy instanceof ScanCopy ? copy : undefined
}

export function dropScanCopy(message: MessageFacts): void {
  message.extra.delete(KEY)
}
