/**
 * The drop folder: how `sendmail`, called by an ordinary user, hands a message to the daemon without a setuid
 * program. Anyone may put a file there; who owns the file is who submits.
 *
 * The folder has mode 3733 and belongs to the run-time user: others can create files in it but neither list it nor
 * touch each other's (sticky), and each file gets the run-time group (setgid), which may read it. A file is one line
 * of JSON, then the message as it came.
 */
import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { promisify } from 'node:util'

/** What `sendmail` was asked to do, in the words of its command line. */
export interface DropSubmission {
  readonly calledAs: string
  /** The arguments as given; they are read again as those of an untrusted caller. */
  readonly args: readonly string[]
}

/** A file in the drop folder, checked. */
export interface DroppedMessage {
  readonly submission: DropSubmission
  /** The owner of the file. */
  readonly uid: number
  /** When it was complete, milliseconds since 1970. */
  readonly droppedAt: number
  /** Bytes of the message. */
  readonly size: number
  message(): AsyncIterable<Uint8Array>
}

/** `taken`: it is safe elsewhere, or will never be wanted. `later`: leave it and ask again. */
export type DropVerdict = 'taken' | 'later'

export interface DropLimits {
  /** Files of one user that may wait; above, that user is refused, above twice as many they are removed. */
  readonly filesPerUser: number
  readonly bytesPerUser: number
  /** Free bytes that must remain on the disk. */
  readonly minFreeBytes: number
}

export const dropLimits: DropLimits = { filesPerUser: 1000, bytesPerUser: 512 << 20, minFreeBytes: 10 << 20 }

const folderMode = 0o3733
const fileMode = 0o640
const jsonLimit = 1 << 20
const pieceBytes = 64 * 1024
/** A file that is not complete after so long never will be. */
const unfinishedMs = 24 * 3600_000
const messageName = /^msg\.[0-9a-f]{32}$/
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants
const open = promisify(fs.open)
const close = promisify(fs.close)
const fsync = promisify(fs.fsync)
const rename = promisify(fs.rename)
const unlink = promisify(fs.unlink)

// ------------------------------------------------------------------------------------------ the submitter's side

export type DropResult = { readonly is: 'dropped' } | { readonly is: 'refused'; readonly why: string }

/** Writes a message into the drop folder. When it says `dropped`, the file is on disk. */
export async function writeDrop(
  folder: string,
  submission: DropSubmission,
  message: AsyncIterable<Uint8Array>,
  limits: DropLimits = dropLimits,
): Promise<DropResult> {
  const uid = process.getuid?.() ?? 0
  if (hasFullMark(folder, uid)) return { is: 'refused', why: 'too many of your messages wait' }
  const unfinished = `${folder}/tmp.${randomBytes(16).toString('hex')}`
  try {
    const space = fs.statfsSync(folder)
    if (space.bavail * space.bsize < limits.minFreeBytes) return { is: 'refused', why: 'the disk is full' }
    const fd = await open(unfinished, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode)
    try {
      // The umask may have taken the group's right to read.
      fs.fchmodSync(fd, fileMode)
      await writePieces(fd, submission, message, limits.bytesPerUser)
      await fsync(fd)
      await rename(unfinished, unfinished.replace(/tmp\.(?=[0-9a-f]+$)/, 'msg.'))
      await syncName(folder, fd)
    } finally {
      await close(fd)
    }
    return { is: 'dropped' }
  } catch (error) {
    await unlink(unfinished).catch(() => {})
    return { is: 'refused', why: error instanceof Error ? error.message : String(error) }
  }
}

async function writePieces(
  fd: number,
  submission: DropSubmission,
  message: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<void> {
  const write = promisify(fs.write)
  let at = 0
  const put = async (bytes: Uint8Array): Promise<void> => {
    if (at + bytes.length > limit) throw new Error('the message is too large')
    for (let done = 0; done < bytes.length; ) {
      done += (await write(fd, bytes, done, bytes.length - done, at + done)).bytesWritten
    }
    at += bytes.length
  }
  await put(Buffer.from(`${JSON.stringify(submission)}\n`))
  for await (const piece of message) await put(piece)
}

/**
 * Makes the new name durable. Who may not read the folder cannot open it to sync it; then a second sync of the file
 * takes the rename along, as its change is part of the same transaction of the file system.
 */
async function syncName(folder: string, fd: number): Promise<void> {
  try {
    const folderFd = await open(folder, O_RDONLY)
    try {
      await fsync(folderFd)
    } finally {
      await close(folderFd)
    }
  } catch {
    await fsync(fd)
  }
}

// ------------------------------------------------------------------------------------------ the daemon's side

/** Makes the folder; called by the process that becomes the run-time user, or as it. */
export function makeDropFolder(folder: string, owner?: { readonly uid: number; readonly gid: number }): void {
  fs.mkdirSync(folder, { recursive: true })
  if (owner !== undefined) fs.chownSync(folder, owner.uid, owner.gid)
  // After the change of owner, which takes the setgid bit away.
  fs.chmodSync(folder, folderMode)
}

export interface DropReader {
  /** Takes one message; what it throws counts as `later`. */
  readonly handle: (message: DroppedMessage) => Promise<DropVerdict>
  /** Takes a sentence about a file that is refused. */
  readonly log: (line: string) => void
  readonly limits?: DropLimits
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Does something while no other process does: during a reload two of them look through the folder. */
  readonly alone?: <T>(work: () => Promise<T>) => Promise<T>
}

interface Waiting {
  readonly name: string
  readonly fd: number
  readonly facts: fs.Stats
}

/** Looks through the folder once, oldest file first. Gives the number of messages taken. */
export async function scanDrop(folder: string, reader: DropReader): Promise<number> {
  if (!fs.readdirSync(folder).some((name) => /^(?:msg|tmp|full)\./.test(name))) return 0
  const scan = (): Promise<number> => scanAlone(folder, reader)
  return reader.alone === undefined ? scan() : reader.alone(scan)
}

async function scanAlone(folder: string, reader: DropReader): Promise<number> {
  const users = new Map<number, { files: number; bytes: number }>()
  const limits = reader.limits ?? dropLimits
  let taken = 0
  for (const name of oldestFirst(folder)) {
    if (name.startsWith('tmp.')) removeUnfinished(`${folder}/${name}`, reader.now())
    if (!messageName.test(name)) continue
    const waiting = await openChecked(folder, name, reader)
    if (waiting === undefined) continue
    try {
      const { uid, size } = waiting.facts
      const use = users.get(uid) ?? { files: 0, bytes: 0 }
      users.set(uid, { files: use.files + 1, bytes: use.bytes + size })
      if (use.files >= 2 * limits.filesPerUser || use.bytes >= 2 * limits.bytesPerUser) {
        refuse(folder, name, `user ${uid} has too many files there`, reader)
      } else if ((await handleOne(waiting, reader)) === 'taken') {
        await unlink(`${folder}/${name}`)
        users.set(uid, use)
        taken++
      }
    } finally {
      await close(waiting.fd)
    }
  }
  markFullUsers(folder, users, limits)
  return taken
}

/** Looks at once, whenever the folder changes, and every few seconds. `close` waits for the look under way. */
export function watchDrop(
  folder: string,
  reader: DropReader,
  everyMs: number = 5000,
): { close(): Promise<void> } {
  let closed = false
  let again = false
  const told = new Set<string>()
  const quiet: DropReader = {
    ...reader,
    log(line) {
      // What cannot be removed, or waits, is met at every look: said once.
      if (told.size > 10_000) told.clear()
      if (!told.has(line)) reader.log(line)
      told.add(line)
    },
  }
  let running: Promise<void> | undefined
  const look = (): void => {
    if (closed) return
    again = true
    running ??= (async () => {
      while (again && !closed) {
        again = false
        await scanDrop(folder, quiet).catch((error: unknown) =>
          quiet.log(`drop folder ${folder}: ${String(error)}`),
        )
      }
      running = undefined
    })()
  }
  // Only new messages: the removal of those taken would wake it for nothing.
  const watcher = fs.watch(folder, (_event, name) => {
    if (name === null || messageName.test(name)) look()
  })
  watcher.on('error', () => {})
  const timer = setInterval(look, everyMs)
  look()
  return {
    async close() {
      closed = true
      clearInterval(timer)
      watcher.close()
      await running
    },
  }
}

function oldestFirst(folder: string): string[] {
  const names = fs.readdirSync(folder).filter((name) => /^(msg|tmp)\./.test(name))
  const times = new Map(
    names.map((name) => [name, fs.lstatSync(`${folder}/${name}`, { throwIfNoEntry: false })?.mtimeMs ?? 0]),
  )
  return names.sort((a, b) => (times.get(a) ?? 0) - (times.get(b) ?? 0))
}

/** Opens without following links or waiting, and believes only what the open file says. */
async function openChecked(folder: string, name: string, reader: DropReader): Promise<Waiting | undefined> {
  let fd: number
  try {
    fd = await open(`${folder}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    refuse(folder, name, error instanceof Error ? error.message : String(error), reader)
    return undefined
  }
  const facts = fs.fstatSync(fd)
  const wrong = whyNot(facts)
  if (wrong === undefined) return { name, fd, facts }
  await close(fd)
  refuse(folder, name, wrong, reader)
  return undefined
}

function whyNot(facts: fs.Stats): string | undefined {
  if (!facts.isFile()) return 'it is not a regular file'
  // A link to another user's file would make that user the submitter.
  if (facts.nlink !== 1) return 'it has more than one link'
  if (facts.uid === process.geteuid?.()) return 'it belongs to the daemon itself'
  return undefined
}

async function handleOne({ fd, facts, name }: Waiting, reader: DropReader): Promise<DropVerdict> {
  const head = await readHead(fd)
  const submission = head === undefined ? undefined : parseSubmission(head.json)
  if (head === undefined || submission === undefined) {
    reader.log(`drop file ${name} of user ${facts.uid} is not a submission and is removed`)
    return 'taken'
  }
  const { length } = head
  try {
    return await reader.handle({
      submission,
      uid: facts.uid,
      droppedAt: facts.mtimeMs,
      size: facts.size - length,
      message: () => readPieces(fd, length, facts.size),
    })
  } catch (error) {
    reader.log(
      `drop file ${name} of user ${facts.uid} waits: ${error instanceof Error ? error.message : String(error)}`,
    )
    return 'later'
  }
}

async function readHead(fd: number): Promise<{ readonly json: string; readonly length: number } | undefined> {
  const pieces: Buffer[] = []
  for await (const piece of readPieces(fd, 0, jsonLimit)) {
    const end = piece.indexOf(10)
    pieces.push(end < 0 ? piece : piece.subarray(0, end))
    if (end < 0) continue
    const json = Buffer.concat(pieces)
    return { json: json.toString('utf8'), length: json.length + 1 }
  }
  return undefined
}

async function* readPieces(fd: number, start: number, end: number): AsyncGenerator<Buffer> {
  const read = promisify(fs.read)
  for (let at = start; at < end; ) {
    const bytes = Buffer.allocUnsafe(Math.min(pieceBytes, end - at))
    const { bytesRead } = await read(fd, bytes, 0, bytes.length, at)
    if (bytesRead === 0) return
    yield bytes.subarray(0, bytesRead)
    at += bytesRead
  }
}

function parseSubmission(json: string): DropSubmission | undefined {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value !== 'object' || value === null || !('calledAs' in value) || !('args' in value))
      return undefined
    const { calledAs, args } = value
    if (typeof calledAs !== 'string' || !Array.isArray(args)) return undefined
    const words = args.filter((word) => typeof word === 'string')
    return words.length === args.length ? { calledAs, args: words } : undefined
  } catch {
    return undefined
  }
}

/** Tells of a file once, and removes it when that can be done without following anything. */
function refuse(folder: string, name: string, why: string, reader: DropReader): void {
  const removed = removePlainly(`${folder}/${name}`)
  reader.log(`drop file ${name} is refused${removed ? ' and removed' : ' and left'}: ${why}`)
}

/** Never goes into a folder: its owner could put a link in the way meanwhile. */
function removePlainly(path: string): boolean {
  try {
    if (fs.lstatSync(path).isDirectory()) fs.rmdirSync(path)
    else fs.unlinkSync(path)
    return true
  } catch {
    return false
  }
}

function removeUnfinished(path: string, now: number): void {
  const facts = fs.lstatSync(path, { throwIfNoEntry: false })
  if (facts !== undefined && now - facts.mtimeMs > unfinishedMs) removePlainly(path)
}

/** Tells users that have too much waiting: they cannot list the folder, but can ask for this name. */
function markFullUsers(
  folder: string,
  users: ReadonlyMap<number, { readonly files: number; readonly bytes: number }>,
  limits: DropLimits,
): void {
  const full = new Set<string>()
  for (const [uid, { files, bytes }] of users) {
    if (files >= limits.filesPerUser || bytes >= limits.bytesPerUser) full.add(fullMark(uid))
  }
  for (const name of fs.readdirSync(folder)) {
    if (!name.startsWith('full.')) continue
    const own = fs.lstatSync(`${folder}/${name}`, { throwIfNoEntry: false })?.uid === process.geteuid?.()
    if (own && full.has(name)) full.delete(name)
    else removePlainly(`${folder}/${name}`)
  }
  for (const name of full) {
    fs.closeSync(fs.openSync(`${folder}/${name}`, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode))
  }
}

/** A mark counts when it is the daemon's: anyone can make a file of that name. */
function hasFullMark(folder: string, uid: number): boolean {
  const mark = fs.lstatSync(`${folder}/${fullMark(uid)}`, { throwIfNoEntry: false })
  return mark !== undefined && mark.uid === fs.statSync(folder).uid
}

function fullMark(uid: number): string {
  return `full.${uid}`
}
