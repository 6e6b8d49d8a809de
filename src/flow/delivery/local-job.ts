/**
 * Local deliveries as values: a job can be run here, or sent to a child process that runs under another uid.
 * Everything in a job is resolved already: no expansion happens where it runs.
 */
import type { ByteString } from '../../base/text.ts'
import { unusableFolder } from './local/current-directory.ts'
import { deliverToFolder, type FolderJob } from './local/folder.ts'
import { deliverToLmtp, type LmtpJob } from './local/lmtp.ts'
import { deliverToMaildir, type MaildirJob } from './local/maildir.ts'
import { checkQuota, type QuotaJob } from './local/mailbox-quota.ts'
import { deliverToMbox, type MboxJob } from './local/mbox.ts'
import { appendNote, type NoteJob } from './local/note.ts'
import { deliverToPipe, type PipeJob } from './local/pipe.ts'
import { deliverToMailstore, type MailstoreJob } from './local/mailstore.ts'
import { copyToQueue, type QueuefileJob } from './local/queuefile.ts'
import type { Said } from './local/said.ts'
import type { TransportFilter, TransportFilterError } from './local/transport-filter.ts'
import type { RecipientVerdict } from './transports/smtp-transaction.ts'

/** What every local job has. JSON-able. */
export interface LocalJobCommon {
  /** What is written first: the From line of an mbox, the envelope of batched SMTP. */
  readonly lead?: ByteString
  /** What comes before the body: added lines, headers, blank line; LF line ends. */
  readonly head: ByteString
  /** The command that head and body go through. */
  readonly filter?: TransportFilter | undefined
  /** What comes after it. */
  readonly tail: ByteString
  /** Lines of the body that begin with `check` begin with `put` instead. */
  readonly escape: { readonly check: ByteString; readonly put: ByteString } | undefined
  /** Takes what went wrong with the filter; of the running job alone. */
  readonly filterTrouble?: { error?: TransportFilterError }
  readonly useCrlf: boolean
  readonly currentDirectory: string
  readonly umask: number
  readonly initgroups: boolean
}

/** Of a job that writes no message. */
export const bareJob: LocalJobCommon = {
  head: '',
  tail: '',
  escape: undefined,
  useCrlf: false,
  currentDirectory: '/',
  umask: 0,
  initgroups: false,
}

export type LocalJob = LocalJobCommon &
  (FolderJob | MaildirJob | MailstoreJob | MboxJob | NoteJob | PipeJob | QueuefileJob | QuotaJob | LmtpJob)

interface LocalResultCommon {
  /** Of a job that was to be explained and spoke with somebody. */
  readonly dialogue?: readonly Said[]
}

export type LocalResult = LocalResultCommon & LocalEnd

type LocalEnd =
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
  if (job.filter === undefined) return run(job, body)
  const trouble: { error?: TransportFilterError } = {}
  const result = await run({ ...job, filterTrouble: trouble }, body).catch((thrown: unknown) => {
    if (trouble.error === undefined) throw thrown
    return undefined
  })
  const { error } = trouble
  if (error === undefined && result !== undefined) return result
  if (error === undefined) throw new Error('a job without a result')
  // Whatever the writer made of a message that broke off: the filter is to blame.
  return { is: 'deferred', errno: error.errno, more: 0, message: filterSentence(error, job) }
}

/** Exim's words differ with what is written. */
function filterSentence({ message }: TransportFilterError, job: LocalJob): ByteString {
  const why = message.endsWith('(127)') ? ': unable to execute command' : ''
  if (job.kind === 'pipe') return `T${message.slice(1)}${why}`
  const place = job.kind === 'mbox' ? job.file : 'directory' in job ? job.directory : undefined
  return place === undefined ? message : `${message} while writing to ${place}${why}`
}

async function run(job: LocalJob, body: AsyncIterable<Uint8Array>): Promise<LocalResult> {
  // Also where nothing is done in it: a home that is not mounted is no place to make a mailbox in.
  const problem = job.currentDirectory === '/' ? undefined : await unusableFolder(job.currentDirectory)
  if (problem !== undefined) return problem
  switch (job.kind) {
    case 'maildir':
      return deliverToMaildir(job, body)
    case 'folder':
      return deliverToFolder(job, body)
    case 'mailstore':
      return deliverToMailstore(job, body)
    case 'queuefile':
      return copyToQueue(job, body)
    case 'mbox':
      return deliverToMbox(job, body)
    case 'quota':
      return checkQuota(job)
    case 'note':
      return appendNote(job)
    case 'pipe':
      return deliverToPipe(job, body)
    case 'lmtp':
      return deliverToLmtp(job, body)
  }
}
