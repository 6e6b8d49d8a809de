/**
 * Writes a message into a maildir: into `tmp` under a name that nobody else has, synced, then moved into `new`.
 * Source: Exim manual, "The appendfile transport", "Maildir delivery"; https://cr.yp.to/proto/maildir.html.
 */
import { mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { inBlocks, localContent } from './content.ts'
import { errorNumbers } from '../results.ts'
import { deferredByFile, fileError } from './file-error.ts'
import { type MaildirUse, maildirUse } from './maildir-use.ts'

export interface MaildirJob {
  readonly kind: 'maildir'
  readonly directory: string
  readonly createDirectory: boolean
  readonly directoryMode: number
  readonly mode: number
  /** Unique within the host: seconds, microseconds, process, host name. */
  readonly name: string
  /** Appended to the name in `new`. */
  readonly tag: string
  /** A quota or a threshold wants the size of the maildir known. */
  readonly measure: boolean
  /** Bytes; 0: none. */
  readonly quota: number
  readonly quotaFileCount: number
  readonly quotaDirectory: string
  readonly quotaInclusive: boolean
  /** Finds the size of a message in its file name. */
  readonly quotaSizeRegex: string | undefined
  readonly messageSize: number
}

export async function deliverToMaildir(
  job: LocalJobCommon & MaildirJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  const used = job.measure ? await maildirUse(job.quotaDirectory, job.quotaSizeRegex) : undefined
  const full = used === undefined ? undefined : await overQuota(job, used)
  if (full !== undefined) return full
  let made = false
  for (let attempt = 0; ; ) {
    const name = attempt === 0 ? job.name : job.name.replace('.', `.A${attempt}`)
    const temporary = join(job.directory, 'tmp', name)
    try {
      const handle = await open(temporary, 'wx', job.mode)
      let size = 0
      try {
        // A file creation mask takes bits of group and others away, hardly ever those of the owner.
        if ((job.mode & 0o077) !== 0) await handle.chmod(job.mode)
        for await (const piece of inBlocks(localContent(job, body))) {
          await handle.appendFile(piece)
          size += piece.length
        }
        await handle.datasync()
      } catch (error) {
        await handle.close()
        await unlink(temporary).catch(() => undefined)
        return deferredByFile(error, `while writing ${temporary}`)
      }
      await handle.close()
      await rename(temporary, join(job.directory, 'new', `${name}${job.tag}`))
      await syncFolder(join(job.directory, 'new'))
      const sizes = used && { mailboxSize: { before: used.bytes, after: used.bytes + size } }
      return { is: 'done', sizeBytes: size, ...sizes }
    } catch (error) {
      const { code, errno, text } = fileError(error)
      if (code === 'EEXIST' && attempt < 10) {
        attempt++
        continue
      }
      if (code === 'ENOENT' && !made) {
        made = true
        const problem = await makeMaildir(job)
        if (problem !== undefined) return problem
        continue
      }
      return {
        is: 'deferred',
        errno,
        more: 0,
        errorText: text,
        message: `failed to deliver into maildir ${job.directory}: ${text}`,
      }
    }
  }
}

async function overQuota(job: MaildirJob, used: MaildirUse): Promise<LocalResult | undefined> {
  const size = used.bytes + (job.quotaInclusive ? job.messageSize : 0)
  const tooBig = job.quota > 0 && size > job.quota
  const tooMany = job.quotaFileCount > 0 && used.files + (job.quotaInclusive ? 1 : 0) > job.quotaFileCount
  if (!tooBig && !tooMany) return undefined
  return {
    is: 'deferred',
    errno: errorNumbers.mailboxFull,
    more: await secondsUnread(job.directory),
    message: `mailbox is full (MTA-imposed quota exceeded while writing to tmp/${job.name})`,
  }
}

/** A change of `new` is taken for the last reading. Source: Exim manual, "Retry rules for specific errors". */
async function secondsUnread(directory: string): Promise<number> {
  return stat(join(directory, 'new')).then(
    ({ mtimeMs }) => Math.max(0, Math.floor((Date.now() - mtimeMs) / 1000)),
    () => 0,
  )
}

async function makeMaildir(job: MaildirJob): Promise<LocalResult | undefined> {
  try {
    if (job.createDirectory) await makeFolders(job.directory, job.directoryMode)
    for (const part of ['tmp', 'new', 'cur']) {
      await mkdir(join(job.directory, part), { mode: job.directoryMode }).catch((error: unknown) => {
        if (fileError(error).code !== 'EEXIST') throw error
      })
    }
    return undefined
  } catch (error) {
    return deferredByFile(error, `cannot create maildir folders in ${job.directory}`)
  }
}

async function makeFolders(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode })
}

/** Makes a new name in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `1795488013.M111922P9756.mta.example`. */
export function maildirName(microseconds: number, pid: number, host: ByteString): string {
  const seconds = Math.floor(microseconds / 1e6)
  return `${seconds}.M${Math.floor(microseconds % 1e6)}P${pid}.${host.replaceAll('/', '\\057').replaceAll(':', '\\072')}`
}
