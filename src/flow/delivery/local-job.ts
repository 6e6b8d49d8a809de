/**
 * Local deliveries as values: a job can be run here, or sent to a child process that runs under another uid.
 * Everything in a job is resolved already: no expansion happens where it runs.
 */
import type { ByteString } from '../../base/text.ts'
import type { MaildirJob } from './local/maildir.ts'
import { deliverToMaildir } from './local/maildir.ts'

/** What every local job has. JSON-able. */
export interface LocalJobCommon {
  /** What comes before the body: added lines, headers, blank line; LF line ends. */
  readonly head: ByteString
  /** What comes after it. */
  readonly tail: ByteString
  readonly currentDirectory: string
  readonly umask: number
  readonly initgroups: boolean
}

export type LocalJob = LocalJobCommon & MaildirJob

export type LocalResult =
  | { readonly is: 'done'; readonly sizeBytes: number; readonly output?: ByteString }
  | {
      readonly is: 'failed' | 'deferred'
      readonly errno: number
      readonly more: number
      readonly errorText?: string
      readonly message: ByteString
      readonly output?: ByteString
      readonly freeze?: boolean
    }

/** Runs a job in this process, with the rights it has. */
export async function runLocalJob(job: LocalJob, body: AsyncIterable<Uint8Array>): Promise<LocalResult> {
  switch (job.kind) {
    case 'maildir':
      return deliverToMaildir(job, body)
  }
}
