/**
 * Appends a message to a mailbox file, under locks; a failed write leaves the file as it was.
 * Source: Exim manual, "The appendfile transport", "Operational details for appending".
 */
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorNumbers } from '../results.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { inBlocks, localContent } from './content.ts'
import { deferredByFile, fileError } from './file-error.ts'
import { type LockOutcome, lockOpenFile, type LockPlan, takeLockFile } from './lock.ts'
import { makeFolders } from './make-folders.ts'

export interface MboxJob {
  readonly kind: 'mbox'
  readonly file: string
  readonly mode: number
  readonly modeFailNarrower: boolean
  readonly createFile: boolean
  /** `create_file` allows it there. */
  readonly mayCreate: boolean
  readonly createDirectory: boolean
  readonly directoryMode: number
  readonly allowSymlink: boolean
  readonly allowFifo: boolean
  /** Undefined: not checked. */
  readonly owner: number | undefined
  readonly group: number | undefined
  readonly locks: LockPlan
  /** Bytes; 0: none. */
  readonly quota: number
  /** `no_check`. */
  readonly quotaUnchecked: boolean
  /** What the configuration says that it holds; undefined: its size. */
  readonly knownBytes: number | undefined
  /** The message counts too. */
  readonly quotaInclusive: boolean
  readonly messageSize: number
}

type Job = LocalJobCommon & MboxJob

export async function deliverToMbox(job: Job, body: AsyncIterable<Uint8Array>): Promise<LocalResult> {
  if (job.createDirectory) {
    const problem = await makeFolder(job)
    if (problem !== undefined) return problem
  }
  if (!job.locks.lockFile) return appendTo(job, body)
  const lock = await takeLockFile(job.file, job.locks)
  if (lock.is !== 'locked') return notLocked(lock, job, 'lock file')
  try {
    return await appendTo(job, body)
  } finally {
    await lock.unlock()
  }
}

async function makeFolder(job: Job): Promise<LocalResult | undefined> {
  try {
    await makeFolders(dirname(job.file), job.directoryMode)
    return undefined
  } catch (error) {
    return deferredByFile(error, `failed to create directories for ${job.file}`)
  }
}

function notLocked(lock: LockOutcome, job: Job, how: string): LocalResult {
  if (lock.is === 'failed' && lock.hitch !== undefined) {
    const { errno, text } = fileError(lock.error)
    const ids = `(euid=${process.geteuid?.() ?? 0} egid=${process.getegid?.() ?? 0})`
    return refused(`creating lock file hitching post ${lock.hitch} ${ids}`, errno, text)
  }
  if (lock.is === 'failed') return deferredByFile(lock.error, `failed to lock mailbox ${job.file} (${how})`)
  return {
    is: 'deferred',
    errno: errorNumbers.mailboxLocked,
    more: 0,
    message: `failed to lock mailbox ${job.file} (${how})`,
  }
}

async function appendTo(job: Job, body: AsyncIterable<Uint8Array>): Promise<LocalResult> {
  const opened = await openMailbox(job)
  if ('is' in opened) return opened
  const { handle } = opened
  try {
    const lock = await lockOpenFile(handle.fd, job.locks)
    if (lock.is !== 'locked') return notLocked(lock, job, 'fcntl/flock')
    const found = await handle.stat()
    const full = mboxFull(job, job.knownBytes ?? found.size, found.atimeMs)
    if (full !== undefined) return full
    return await write(handle, found, job, body)
  } catch (error) {
    return deferredByFile(error, `error while delivering to ${job.file}`)
  } finally {
    await handle.close()
  }
}

/** The seconds since the mailbox was read are what `quota_4d` in retry rules looks at. */
export function mboxFull(job: MboxJob, before: number, readAt: number): LocalResult | undefined {
  if (job.quota <= 0 || job.quotaUnchecked) return undefined
  if (before + (job.quotaInclusive ? job.messageSize : 0) <= job.quota) return undefined
  return {
    is: 'deferred',
    errno: errorNumbers.mailboxFull,
    more: Math.max(0, Math.floor((Date.now() - readAt) / 1000)),
    message: `mailbox is full (MTA-imposed quota exceeded while writing to ${job.file})`,
  }
}

/** Opens an existing mailbox after looking at it, or makes it; never follows a link unless that is allowed. */
async function openMailbox(job: Job): Promise<{ readonly handle: FileHandle } | LocalResult> {
  const noFollow = job.allowSymlink ? 0 : constants.O_NOFOLLOW
  for (let attempt = 0; ; attempt++) {
    let creating = false
    try {
      const found = await lstat(job.file).catch((error: unknown) => {
        if (fileError(error).code === 'ENOENT') return undefined
        throw error
      })
      if (found === undefined) {
        if (!job.mayCreate) {
          return refused(
            `mailbox ${job.file} does not exist, but creation outside the home directory is not permitted`,
            errorNumbers.badCreate,
          )
        }
        if (!job.createFile) {
          const missing = `mailbox ${job.file} does not exist, but file_must_exist is set`
          return refused(missing, 2, 'No such file or directory')
        }
        creating = true
        const handle = await open(
          job.file,
          constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL | noFollow,
          job.mode,
        )
        await handle.chmod(job.mode)
        return { handle }
      }
      // Looked at before it is opened, which may not be allowed, and again afterwards: only that counts.
      const seen = found.isSymbolicLink() ? undefined : wrongWith(found, job)
      if (seen !== undefined) return seen
      const target = found.isSymbolicLink() && job.allowSymlink ? await stat(job.file) : found
      const handle = target.isFIFO()
        ? await openFifo(job.file, noFollow)
        : await open(job.file, constants.O_RDWR | constants.O_APPEND | noFollow)
      const problem = await unfit(handle, job)
      if (problem === undefined) return { handle }
      await handle.close()
      return problem
    } catch (error) {
      const { code } = fileError(error)
      // Made or removed by another between the look and the opening.
      if ((code === 'EEXIST' || code === 'ENOENT') && attempt < 10) continue
      if (code === 'ELOOP')
        return refused(`mailbox ${job.file} is not a regular file`, errorNumbers.notRegular)
      if (creating) {
        const { errno, text } = fileError(error)
        return {
          is: 'deferred',
          errno,
          more: 0,
          errorText: text,
          message: `while creating mailbox ${job.file}`,
        }
      }
      return deferredByFile(error, `error while opening mailbox ${job.file}`)
    }
  }
}

/** ENXIO where nobody reads: what is written would be lost. */
async function openFifo(path: string, noFollow: number): Promise<FileHandle> {
  const probe = await open(path, constants.O_WRONLY | constants.O_NONBLOCK | noFollow)
  try {
    return await open(path, constants.O_WRONLY | noFollow)
  } finally {
    await probe.close()
  }
}

/** What is wrong with an existing mailbox: its kind, its links, its owner, its mode. */
async function unfit(handle: FileHandle, job: Job): Promise<LocalResult | undefined> {
  const found = await handle.stat()
  const wrong = wrongWith(found, job)
  if (wrong !== undefined) return wrong
  const mode = found.mode & 0o7777
  // A mode that gives more than it should is narrowed.
  if ((mode & job.mode) === mode || found.isFIFO()) return undefined
  try {
    await handle.chmod(job.mode)
    return undefined
  } catch (error) {
    const { errno, text } = fileError(error)
    return refused(`attempting to chmod mailbox ${job.file}`, errno, text)
  }
}

function wrongWith(found: Stats, job: Job): LocalResult | undefined {
  const fifo = job.allowFifo && found.isFIFO()
  if (job.owner !== undefined && found.uid !== job.owner) {
    return refused(`mailbox ${job.file} has wrong uid (${found.uid} != ${job.owner})`, errorNumbers.badOwner)
  }
  if (job.group !== undefined && found.gid !== job.group) {
    return refused(`mailbox ${job.file} has wrong gid (${found.gid} != ${job.group})`, errorNumbers.badOwner)
  }
  if (found.nlink !== 1) {
    return refused(`mailbox ${job.file} has too many links (${found.nlink})`, errorNumbers.notRegular)
  }
  if (!found.isFile() && !fifo) {
    return refused(`mailbox ${job.file} is not a regular file`, errorNumbers.notRegular)
  }
  const mode = found.mode & 0o7777
  if (mode === job.mode || fifo) return undefined
  if ((mode & job.mode) === mode && job.modeFailNarrower) {
    return refused(
      `mailbox ${job.file} has the wrong mode ${octal(mode)} (${octal(job.mode)} expected)`,
      errorNumbers.badMode,
    )
  }
  return undefined
}

function octal(mode: number): string {
  return mode.toString(8)
}

function refused(message: string, errno: number, errorText?: string): LocalResult {
  return { is: 'deferred', errno, more: 0, message, ...(errorText !== undefined && { errorText }) }
}

async function write(
  handle: FileHandle,
  found: Stats,
  job: Job,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  const before = found.size
  let size = 0
  try {
    for await (const piece of inBlocks(localContent(job, body))) {
      await handle.appendFile(piece)
      size += piece.length
    }
    if (found.isFile()) await handle.datasync()
    return { is: 'done', sizeBytes: size, mailboxSize: { before, after: before + size } }
  } catch (error) {
    await handle.truncate(before).catch(() => undefined)
    const { code, text } = fileError(error)
    if (code !== 'ENOSPC' && code !== 'EDQUOT')
      return deferredByFile(error, `error while writing to ${job.file}`)
    return {
      is: 'deferred',
      errno: errorNumbers.mailboxFull,
      more: 0,
      message: `mailbox is full (${text} while writing to ${job.file})`,
    }
  }
}
