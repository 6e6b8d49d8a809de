/**
 * The spool's door to the file system. Files are created exclusively and opened without following links, files 0640
 * and folders 0750 (SECURITY: least privilege); what the system refuses comes back as a `SpoolError`.
 */
import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { SpoolError } from './api.ts'

export const fileMode = 0o640
export const folderMode = 0o750

/** Whose the created files are to be, when not those of the process. */
export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

const codes: Record<string, SpoolError['code']> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EMFILE: 'descriptors',
  ENFILE: 'descriptors',
}

/** A refusal of the system in the spool's words. */
export function spoolError(error: unknown, doing: string): SpoolError {
  if (error instanceof SpoolError) return error
  const code = errorCode(error)
  const message = error instanceof Error ? error.message : String(error)
  return new SpoolError(codes[code] ?? 'io', `${doing}: ${message}`)
}

/** `ENOENT` and its like; empty when there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, O_RDONLY } = fs.constants
const open = promisify(fs.open)
const close = promisify(fs.close)
const write = promisify(fs.write)
const readInto = promisify(fs.read)
const fsync = promisify(fs.fsync)
const fdatasync = promisify(fs.fdatasync)

export async function createFile(path: string, owner: FileOwner | undefined): Promise<number> {
  const fd = await open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode)
  if (owner !== undefined) fs.fchownSync(fd, owner.uid, owner.gid)
  return fd
}

export function openFile(path: string, how: 'read' | 'write' = 'read'): Promise<number> {
  return open(path, (how === 'read' ? O_RDONLY : O_RDWR) | O_NOFOLLOW)
}

export const closeFile = close
export const syncFile = fsync
export const syncData = fdatasync

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const fd = await open(path, O_RDONLY)
  try {
    await fsync(fd)
  } finally {
    await close(fd)
  }
}

/** Takes away what stands behind `size`. */
export const truncateFile: (fd: number, size: number) => Promise<void> = promisify(fs.ftruncate)

/** Writes all of `bytes` at `position`. */
export async function writeAt(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await write(fd, bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** Writes all pieces one behind the other at `position`, with one system call where the system takes them at once. */
export function writePieces(
  fd: number,
  pieces: Uint8Array[],
  position: number,
  done: (error: Error | null) => void,
): void {
  fs.writev(fd, pieces, position, (error, written) => {
    if (error !== null) return done(error)
    let rest = written
    let index = 0
    for (let piece = pieces[index]; piece !== undefined && rest >= piece.length; piece = pieces[index]) {
      rest -= piece.length
      index++
    }
    const cut = pieces[index]
    if (cut === undefined) return done(null)
    if (written === 0) return done(new Error('nothing was written'))
    writePieces(fd, [cut.subarray(rest), ...pieces.slice(index + 1)], position + written, done)
  })
}

/** As `syncData`, with a callback: the path every message takes. */
export function syncDataThen(fd: number, done: (error: Error | null) => void): void {
  fs.fdatasync(fd, done)
}

/** Reads up to `length` bytes from `position`; fewer at the end of the file. */
export async function readAt(fd: number, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await readInto(fd, bytes, done, length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}

export async function fileSize(fd: number): Promise<number> {
  return (await promisify(fs.fstat)(fd)).size
}

/** The whole of a small file, undefined when it is not there. */
export function readSmallFile(path: string, limit: number = 1 << 20): Buffer | undefined {
  let fd: number
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const size = Math.min(limit, fs.fstatSync(fd).size)
    const bytes = Buffer.alloc(size)
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, size, 0))
  } finally {
    fs.closeSync(fd)
  }
}

/** Puts a small file in place, whole or not at all; durable when `sync` is set. */
export function writeSmallFile(
  folder: string,
  name: string,
  text: string | Uint8Array,
  owner: FileOwner | undefined,
  sync: boolean = false,
): void {
  const temporary = `${folder}/.${name}.${process.pid}`
  fs.rmSync(temporary, { force: true })
  const fd = fs.openSync(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, fileMode)
  try {
    if (owner !== undefined) fs.fchownSync(fd, owner.uid, owner.gid)
    fs.writeFileSync(fd, text)
    if (sync) fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(temporary, `${folder}/${name}`)
  if (sync) syncFolderSync(folder)
}

export function syncFolderSync(path: string): void {
  const fd = fs.openSync(path, O_RDONLY)
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Makes a folder where none is. True when it was made. */
export function makeFolder(path: string, owner: FileOwner | undefined, mode: number = folderMode): boolean {
  try {
    fs.mkdirSync(path, { mode })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    return false
  }
  if (owner !== undefined) fs.chownSync(path, owner.uid, owner.gid)
  return true
}

/** Names in a folder; none when it is not there. */
export function listFolder(path: string): string[] {
  try {
    return fs.readdirSync(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
    throw error
  }
}

/** A file or a folder, if it is there. */
export function removeQuietly(path: string): void {
  try {
    // To remove a file as if it were a folder takes a descriptor from Node 24 on.
    fs.unlinkSync(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') fs.rmSync(path, { force: true, recursive: true })
  }
}

/** Removes a file without waiting and without caring whether it was there. */
export function removeLater(path: string): void {
  fs.unlink(path, () => {})
}

/** Adds text to a file in the background; the file need not be there. */
export function appendLater(
  path: string,
  text: string,
  owner: FileOwner | undefined,
  done: (error: Error | null) => void,
): void {
  const flags = fs.constants.O_WRONLY | fs.constants.O_APPEND | O_CREAT | O_NOFOLLOW
  fs.open(path, flags, fileMode, (error, fd) => {
    if (error !== null) return done(error)
    if (owner !== undefined) fs.fchownSync(fd, owner.uid, owner.gid)
    fs.write(fd, text, null, 'latin1', (writeError) => fs.close(fd, () => done(writeError)))
  })
}

export const linkFile = fs.linkSync
export const renameFile = fs.renameSync
export const unlinkFile = fs.unlinkSync
export const removeFolder = fs.rmdirSync
export const fileExists = fs.existsSync
export const fileInfo = fs.lstatSync

/** What is wrong with a body file before it is read: a part of a message must not be delivered. */
export function bodyFileProblem(path: string, size: number): string | undefined {
  const facts = fs.lstatSync(path, { throwIfNoEntry: false })
  if (facts === undefined) return 'is missing'
  if (!facts.isFile()) return 'is no plain file'
  return facts.size < size ? `has ${facts.size} bytes in place of ${size}` : undefined
}

/** Gives a file that a library made the mode and owner of all others. */
export function restrict(path: string, owner: FileOwner | undefined): void {
  const facts = fs.statSync(path)
  if (facts.uid !== process.geteuid?.() && process.geteuid?.() !== 0) return
  fs.chmodSync(path, fileMode)
  if (owner !== undefined) fs.chownSync(path, owner.uid, owner.gid)
}

export function freeSpace(path: string): { freeBytes: number; freeInodes: number } {
  const facts = fs.statfsSync(path)
  return { freeBytes: facts.bavail * facts.bsize, freeInodes: facts.ffree }
}

/** A file of /proc: its size is not known ahead. */
export function readProc(path: string): string {
  return fs.readFileSync(path, 'latin1')
}
