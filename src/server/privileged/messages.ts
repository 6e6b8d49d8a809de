/**
 * What a process without rights and the privileged one say to each other. The privileged one trusts no number in it:
 * see job-runner.ts.
 */
import type { LocalJob, LocalResult } from '../../flow/delivery/local-job.ts'
import type { BoundSocket } from '../../wire/listener.ts'
import type { FileBytes, FileStat, FileTrouble } from '../../ports.ts'

/** A file that routing wants to see with the rights of a user. */
export type FileJob = FileJobCommon & ({ readonly kind: 'read-file' } | { readonly kind: 'stat-file' })
interface FileJobCommon {
  readonly path: string
  readonly limitBytes: number
  readonly initgroups: false
}
export type FileResult =
  | { readonly is: 'file'; readonly file: FileBytes | FileTrouble }
  | { readonly is: 'stat'; readonly stat: FileStat | FileTrouble }

/** What is done under another uid, and what came of it. */
export type UserJob = LocalJob | FileJob
export type UserResult = LocalResult | FileResult

/** From the process that delivers. */
export type ToRunner =
  | {
      readonly type: 'job'
      readonly number: number
      readonly uid: number
      readonly gid: number
      readonly job: UserJob
    }
  | { readonly type: 'body'; readonly number: number; readonly piece: Uint8Array | undefined }
  | { readonly type: 'cancel'; readonly number: number }

/** From a call that has accepted messages, before it ends: a line of JSON. */
export interface Order {
  readonly ids: readonly string[]
  /** `-odqs`: the first pass of a queue run. */
  readonly firstPass: boolean
}

/** To the process that delivers. */
export type FromRunner =
  /** The next piece of the body may come. */
  | { readonly type: 'more'; readonly number: number }
  | { readonly type: 'result'; readonly number: number; readonly result: UserResult }

/** From the runner to the child that does the work, and back. */
export type ToChild =
  | { readonly type: 'job'; readonly job: UserJob; readonly identity?: ChildIdentity }
  | { readonly type: 'body'; readonly piece: Uint8Array | undefined }
export type FromChild = { readonly type: 'more' } | { readonly type: 'result'; readonly result: UserResult }

/** For a child that begins as root because it must set supplementary groups itself. */
export interface ChildIdentity {
  readonly uid: number
  readonly gid: number
  readonly user: string
}

/** A channel of Node's own between two processes; a message can carry a socket. */
export interface Channel {
  send(message: unknown, socket?: BoundSocket): boolean
  on(event: 'message', listener: (message: unknown, socket?: unknown) => void): unknown
  on(event: 'disconnect', listener: () => void): unknown
}
