/**
 * What a process without rights and the privileged one say to each other. The privileged one trusts no number in it:
 * see job-runner.ts.
 */
import type { LocalJob, LocalResult } from '../../flow/delivery/local-job.ts'

/** From the process that delivers. */
export type ToRunner =
  | {
      readonly type: 'job'
      readonly number: number
      readonly uid: number
      readonly gid: number
      readonly job: LocalJob
    }
  | { readonly type: 'body'; readonly number: number; readonly piece: Uint8Array | undefined }
  | { readonly type: 'cancel'; readonly number: number }

/** To the process that delivers. */
export type FromRunner =
  /** The next piece of the body may come. */
  | { readonly type: 'more'; readonly number: number }
  | { readonly type: 'result'; readonly number: number; readonly result: LocalResult }

/** From the runner to the child that does the work, and back. */
export type ToChild =
  | { readonly type: 'job'; readonly job: LocalJob; readonly identity?: ChildIdentity }
  | { readonly type: 'body'; readonly piece: Uint8Array | undefined }
export type FromChild = { readonly type: 'more' } | { readonly type: 'result'; readonly result: LocalResult }

/** For a child that begins as root because it must set supplementary groups itself. */
export interface ChildIdentity {
  readonly uid: number
  readonly gid: number
  readonly user: string
}

/** A channel of Node's own between two processes. */
export interface Channel {
  send(message: unknown): boolean
  on(event: 'message', listener: (message: unknown) => void): unknown
  on(event: 'disconnect', listener: () => void): unknown
}
