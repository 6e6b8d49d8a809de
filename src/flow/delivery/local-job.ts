/**
 * Local deliveries as values: a job can be run here, or sent to a child process that runs under another uid.
 * Everything in a job is resolved already: no expansion happens where it runs.
 */
import type { ByteString } from '../../base/text.ts'
import { deliverToFolder, type FolderJob } from './local/folder.ts'
import { deliverToLmtp, type LmtpJob } from './local/lmtp.ts'
import { deliverToMaildir, type MaildirJob } from './local/maildir.ts'
import { deliverToMbox, type MboxJob } from './local/mbox.ts'
import { appendNote, type NoteJob } from './local/note.ts'
import { deliverToPipe, type PipeJob } from './local/pipe.ts'
import type { RecipientVerdict } from './transports/smtp-transaction.ts'

/** What every local job has. JSON-able. */
export interface LocalJobCommon {
  /** What comes before the body: added lines, headers, blank line; LF line ends. */
  readonly head: ByteString
  /** What comes after it. */
  readonly tail: ByteString
  /** Lines of the body that begin with `check` begin with `put` instead. */
  readonly escape: { readonly check: ByteString; readonly put: ByteString } | undefined
  readonly useCrlf: boolean
  readonly currentDirectory: string
  readonly umask: number
  readonly initgroups: boolean
}

export type LocalJob = LocalJobCommon & (FolderJob | MaildirJob | MboxJob | NoteJob | PipeJob | LmtpJob)

export type LocalResult =
  | {
      readonly is: 'done'
      readonly sizeBytes: number
      readonly output?: ByteString
      readonly mailboxSize?: { readonly before: number; readonly after: number }
      /** Where recipients fare differently (LMTP): one for each, in order. */
      readonly verdicts?: readonly RecipientVerdict[]
    }
  | {
      readonly is: 'failed' | 'deferred'
      readonly errno: number
      readonly more: number
      readonly errorText?: string
      readonly message: ByteString
      readonly output?: ByteString
      /** What the bounce says in place of the message. */
      readonly bounceText?: ByteString
      readonly freeze?: boolean
    }

/** Runs a job in this process, with the rights it has. */
export async function runLocalJob(job: LocalJob, body: AsyncIterable<Uint8Array>): Promise<LocalResult> {
  switch (job.kind) {
    case 'maildir':
      return deliverToMaildir(job, body)
    case 'folder':
      return deliverToFolder(job, body)
    case 'mbox':
      return deliverToMbox(job, body)
    case 'note':
      return appendNote(job)
    case 'pipe':
      return deliverToPipe(job, body)
    case 'lmtp':
      return deliverToLmtp(job, body)
  }
}
