/**
 * Writes a message into a file of its own in a plain folder: under a temporary name first, then under the one that
 * `directory_file` gives. Source: Exim manual, "The appendfile transport", "Operational details for delivery to a new file".
 */
import { link, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { inBlocks, localContent } from './content.ts'
import { deferredByFile, fileError } from './file-error.ts'
import { folderFull, type FolderQuota } from './folder-quota.ts'
import { syncFolder } from './maildir.ts'
import { makeFolders } from './make-folders.ts'

export interface FolderJob extends FolderQuota {
  readonly kind: 'folder'
  readonly directory: string
  readonly createDirectory: boolean
  readonly directoryMode: number
  readonly mode: number
  readonly temporaryName: string
  /** With `inodeMark` where the inode of the file belongs: it is known only when the file is there. */
  readonly name: string
  readonly inodeMark: string
}

export async function deliverToFolder(
  job: LocalJobCommon & FolderJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  const temporary = join(job.directory, job.temporaryName)
  try {
    if (job.createDirectory) await makeFolders(job.directory, job.directoryMode)
    const full = await folderFull(job, temporary)
    if (full !== undefined) return full
    const { size, inode } = await writeFile(temporary, job, body)
    const final = join(job.directory, job.name.replaceAll(job.inodeMark, String(inode)))
    // A link never takes the place of a message that is there already.
    await link(temporary, final)
    await unlink(temporary)
    await syncFolder(job.directory)
    return { is: 'done', sizeBytes: size }
  } catch (error) {
    if (fileError(error).code !== 'ENOENT') await unlink(temporary).catch(() => undefined)
    return deferredByFile(error, `failed to deliver into ${job.directory}`)
  }
}

async function writeFile(
  path: string,
  job: LocalJobCommon & FolderJob,
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly size: number; readonly inode: number }> {
  const handle = await open(path, 'wx', job.mode)
  try {
    if ((job.mode & 0o077) !== 0) await handle.chmod(job.mode)
    let size = 0
    for await (const piece of inBlocks(localContent(job, body))) {
      await handle.appendFile(piece)
      size += piece.length
    }
    await handle.datasync()
    return { size, inode: (await handle.stat()).ino }
  } finally {
    await handle.close()
  }
}
