/** Appends a few lines to a file: the log of an autoreply. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { ByteString } from '../../../base/text.ts'
import type { LocalResult } from '../local-job.ts'
import { deferredByFile } from './file-error.ts'

export interface NoteJob {
  readonly kind: 'note'
  readonly file: string
  readonly mode: number
  readonly text: ByteString
}

export async function appendNote(job: NoteJob): Promise<LocalResult> {
  try {
    const flags =
      constants.O_WRONLY |
      constants.O_APPEND |
      constants.O_CREAT |
      constants.O_NOFOLLOW |
      constants.O_NONBLOCK
    const handle = await open(job.file, flags, job.mode)
    try {
      // A pipe of the user's would keep this waiting, a device would be no log.
      if (!(await handle.stat()).isFile()) throw new Error('not a regular file')
      await handle.appendFile(Buffer.from(job.text, 'latin1'))
    } finally {
      await handle.close()
    }
    return { is: 'done', sizeBytes: job.text.length }
  } catch (error) {
    return deferredByFile(error, `failed to write to ${job.file}`)
  }
}
