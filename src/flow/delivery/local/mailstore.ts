/**
 * Writes a message as two files, envelope and message. Source: Exim manual, "The appendfile transport", "Mailstore delivery".
 */
import { open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteString } from '../../../base/text.ts'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { inBlocks, localContent } from './content.ts'
import { deferredByFile } from './file-error.ts'
import { folderFull, type FolderQuota } from './folder-quota.ts'
import { syncFolder } from './maildir.ts'
import { makeFolders } from './make-folders.ts'

export interface MailstoreJob extends FolderQuota {
  readonly kind: 'mailstore'
  readonly directory: string
  readonly createDirectory: boolean
  readonly directoryMode: number
  readonly mode: number
  /** Of both files, without suffix. */
  readonly name: string
  readonly envelope: ByteString
}

export async function deliverToMailstore(
  job: LocalJobCommon & MailstoreJob,
  body: AsyncIterable<Uint8Array>,
): Promise<LocalResult> {
  const path = join(job.directory, job.name)
  const made: string[] = []
  try {
    if (job.createDirectory) await makeFolders(job.directory, job.directoryMode)
    const full = await folderFull(job, `${job.name}.msg`)
    if (full !== undefined) return full
    await writeNew(`${path}.tmp`, job.mode, [Buffer.from(job.envelope, 'latin1')], made)
    const sizeBytes = await writeNew(`${path}.msg`, job.mode, inBlocks(localContent(job, body)), made)
    // Readers wait for the .env file: with it the message is there.
    await rename(`${path}.tmp`, `${path}.env`)
    await syncFolder(job.directory)
    return { is: 'done', sizeBytes }
  } catch (error) {
    // A file that was there before belongs to another message.
    for (const file of made) await unlink(file).catch(() => undefined)
    return deferredByFile(error, `failed to deliver into mailstore ${job.directory}`)
  }
}

async function writeNew(
  path: string,
  mode: number,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  made: string[],
): Promise<number> {
  const handle = await open(path, 'wx', mode)
  made.push(path)
  try {
    if ((mode & 0o077) !== 0) await handle.chmod(mode)
    let size = 0
    for await (const piece of pieces) {
      await handle.appendFile(piece)
      size += piece.length
    }
    await handle.datasync()
    return size
  } finally {
    await handle.close()
  }
}
