/** Whether a mailbox has room, without writing to it. Source: Exim manual, "Address verification", option "quota". */
import { stat } from 'node:fs/promises'
import type { LocalJobCommon, LocalResult } from '../local-job.ts'
import { deferredByFile, fileError } from './file-error.ts'
import type { FolderJob } from './folder.ts'
import { folderFull } from './folder-quota.ts'
import { type MaildirJob, maildirFull } from './maildir.ts'
import type { MailstoreJob } from './mailstore.ts'
import { mboxFull, type MboxJob } from './mbox.ts'

export interface QuotaJob {
  readonly kind: 'quota'
  /** The delivery that would follow. */
  readonly of: LocalJobCommon & (FolderJob | MaildirJob | MailstoreJob | MboxJob)
}

export async function checkQuota({ of }: QuotaJob): Promise<LocalResult> {
  return (await fullNow(of)) ?? { is: 'done', sizeBytes: 0 }
}

async function fullNow(job: QuotaJob['of']): Promise<LocalResult | undefined> {
  switch (job.kind) {
    case 'maildir':
      return maildirFull({ ...job, createDirectory: false })
    case 'mbox':
      return fileFull(job)
    case 'folder':
    case 'mailstore':
      return folderFull(job, job.directory)
  }
}

async function fileFull(job: MboxJob): Promise<LocalResult | undefined> {
  try {
    const { size, atimeMs } = await stat(job.file)
    return mboxFull(job, job.knownBytes ?? size, atimeMs)
  } catch (error) {
    // The first message makes it.
    if (fileError(error).code === 'ENOENT') return mboxFull(job, job.knownBytes ?? 0, Date.now())
    return deferredByFile(error, `cannot look at mailbox ${job.file}`)
  }
}
