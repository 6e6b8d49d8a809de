/**
 * Writes a message into a maildir: into `tmp` under a name that nobody else has, synced, then moved into `new`.
 * Source: Exim manual, "The appendfile transport", "Maildir delivery"; https://cr.yp.to/proto/maildir.html.
 */
import { open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { compileRegex } from '../../../base/regex.ts'
import { SyncGroup } from '../../../base/sync-group.ts'
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { inBlocks, localContent } from './content.ts'
import { deferredByFile, fileError } from './file-error.ts'
import { type FolderQuota, quotaExceeded, treeUse } from './folder-quota.ts'
import { addToSizeFile, readSizeFile } from './maildirsize.ts'
import type { MaildirUse } from './maildir-use.ts'
import { makeFolder, makeFolders } from './make-folders.ts'

/** `quotaDirectory` left out: the maildir, or the one above its folder. */
export interface MaildirJob extends FolderQuota {
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
  /** `maildir_use_size_file`. */
  readonly sizeFile: boolean
  /** `maildir_quota_directory_regex`: folders that count. */
  readonly countedFolders: string
  /** `maildirfolder_create_regex` matched: the folder is one of a maildir++. */
  readonly markFolder: boolean
  /** Further names that are tried when one is taken. */
  readonly retries: number
}

type Job = LocalJobCommon & MaildirJob

export async function deliverToMaildir(
  job: LocalJobCommon & MaildirJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  const marked = job.markFolder ? await markFolder(job) : undefined
  if (marked !== undefined) return marked
  const place = await quotaPlace(job)
  // The folders within count, as files do.
  if (!job.sizeFile && job.measure && job.quotaFileCount > 0 && job.createDirectory) await makeMaildir(job)
  const used = await usedNow(job, place)
  const full = used === undefined ? undefined : await overQuota(job, used)
  if (full !== undefined) return full
  let made = false
  for (let attempt = 0; ; ) {
    const name = attempt === 0 ? job.name : job.name.replace('.', `.A${attempt}`)
    const temporary = join(job.directory, 'tmp', name)
    let written = false
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
      written = true
      await moveTo(join(job.directory, 'new', `${name}${job.tag}`), temporary, job)
      await syncFolder(join(job.directory, 'new'))
      if (job.sizeFile && !place.excluded) await addToSizeFile(place.directory, size)
      const sizes = used && { mailboxSize: { before: used.bytes, after: used.bytes + size } }
      return { is: 'done', sizeBytes: size, ...sizes }
    } catch (error) {
      const { code, errno, text } = fileError(error)
      if (written) await unlink(temporary).catch(() => undefined)
      else if (code === 'EEXIST' && attempt < job.retries) {
        attempt++
        continue
      } else if (code === 'ENOENT' && !made) {
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

/** The message is read once only: where `new` is missing, nothing but the move is tried again. */
async function moveTo(path: string, temporary: string, job: MaildirJob): Promise<void> {
  try {
    await rename(temporary, path)
  } catch (error) {
    if (fileError(error).code !== 'ENOENT' || (await makeMaildir(job)) !== undefined) throw error
    await rename(temporary, path)
  }
}

/** The deferral that a delivery would meet. */
export async function maildirFull(job: MaildirJob): Promise<LocalResult | undefined> {
  const used = await usedNow(job, await quotaPlace(job))
  return used === undefined ? undefined : overQuota(job, used)
}

interface QuotaPlace {
  /** The maildir on whose size the quota is. */
  readonly directory: string
  /** The folder delivered into does not count. */
  readonly excluded: boolean
}

/** A folder of a maildir++ counts with the maildir above it. Source: Exim manual, "maildirfolder_create_regex". */
async function quotaPlace(job: MaildirJob): Promise<QuotaPlace> {
  // Nobody asks for the size.
  if (!job.measure && !job.sizeFile) return { directory: job.directory, excluded: false }
  if (job.quotaDirectory !== undefined) return { directory: job.quotaDirectory, excluded: false }
  const isFolder = await stat(join(job.directory, 'maildirfolder')).then(
    () => true,
    () => false,
  )
  if (!isFolder) return { directory: job.directory, excluded: false }
  const regex = compileRegex(job.countedFolders)
  const found = 'error' in regex ? undefined : regex.match(basename(job.directory))
  return { directory: dirname(job.directory), excluded: job.sizeFile && found === undefined }
}

/** Undefined: nobody wants to know. */
async function usedNow(
  job: MaildirJob,
  { directory, excluded }: QuotaPlace,
): Promise<MaildirUse | undefined> {
  if (excluded) return undefined
  if (!job.measure && !job.sizeFile) return undefined
  const { knownBytes, knownFiles } = job
  if (!job.sizeFile && knownBytes !== undefined && (knownFiles !== undefined || job.quotaFileCount === 0)) {
    return { bytes: knownBytes, files: knownFiles ?? 0 }
  }
  if (!job.sizeFile) {
    const counted = await treeUse(directory, job.quotaSizeRegex)
    return { bytes: knownBytes ?? counted.bytes, files: knownFiles ?? counted.files }
  }
  // The folders must be there before the file can be written.
  if (job.createDirectory) await makeMaildir(job)
  const regex = compileRegex(job.countedFolders)
  const used = await readSizeFile({
    directory,
    quota: job.quota,
    quotaFileCount: job.quotaFileCount,
    sizeInName: job.quotaSizeRegex,
    counted: 'error' in regex ? undefined : regex,
    uniqueName: job.name,
    mode: job.mode,
    now: Date.now(),
  })
  return { bytes: knownBytes ?? used.bytes, files: knownFiles ?? used.files }
}

/** Makes the file that says: this is a folder of a maildir++. */
async function markFolder(job: Job): Promise<LocalResult | undefined> {
  try {
    if (job.createDirectory) await makeFolders(job.directory, job.directoryMode)
    const handle = await open(join(job.directory, 'maildirfolder'), 'a', 0o600)
    await handle.close()
    return undefined
  } catch (error) {
    return deferredByFile(error, `maildirfolder creation in ${job.directory}`)
  }
}

async function overQuota(job: MaildirJob, used: MaildirUse): Promise<LocalResult | undefined> {
  const full = quotaExceeded(job, used, `tmp/${job.name}`)
  return full === undefined ? undefined : { ...full, more: await secondsUnread(job.directory) }
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
      await makeFolder(join(job.directory, part), job.directoryMode)
    }
    return undefined
  } catch (error) {
    return deferredByFile(error, `cannot create maildir folders in ${job.directory}`)
  }
}

/** Folders that are being synced: deliveries into one of them at the same time share it. */
const syncing = new Map<string, SyncGroup>()

/** Makes a new name in a folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  let group = syncing.get(path)
  if (group === undefined) {
    group = new SyncGroup(() => syncNow(path))
    syncing.set(path, group)
  }
  try {
    await group.sync()
  } finally {
    if (group.idle) syncing.delete(path)
  }
}

async function syncNow(path: string): Promise<void> {
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
