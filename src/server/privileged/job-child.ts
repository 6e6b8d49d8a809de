/** A child of the privileged process: delivers and reads files under the uid it was started with. */
import type { LocalResult } from '../../flow/delivery/local-job.ts'
import { systemFiles } from '../files.ts'
import { becomeUser } from './become.ts'
import type { FromChild, ToChild, UserJob, UserResult } from './messages.ts'

process.on('SIGUSR1', () => undefined)
process.on('disconnect', end)
process.on('SIGTERM', end)
process.on('message', (raw) => {
  // Only the privileged process is at the other end.
  const message = raw as ToChild
  if (message.type === 'job') void work(message, (body = new Body()))
  else body?.push(message.piece)
})

/**
 * The pieces of the message under delivery, asked for one by one. Each delivery has its own: what one asked for last may come
 * when the next has begun.
 */
class Body implements AsyncIterable<Uint8Array> {
  #wanted: ((piece: Uint8Array | undefined) => void) | undefined
  #over = false
  #broken = false

  push(piece: Uint8Array | undefined): void {
    const wanted = this.#wanted
    this.#wanted = undefined
    wanted?.(piece)
  }

  /** Its delivery is done: nothing is asked for any more. */
  close(): void {
    this.#over = true
  }

  /** Nothing comes any more: who asks is told that the message broke off. */
  cut(): void {
    this.#broken = true
    this.#wanted?.(undefined)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (!this.#over) {
      const piece = await new Promise<Uint8Array | undefined>((resolve) => {
        this.#wanted = resolve
        if (this.#broken) resolve(undefined)
        else tell({ type: 'more' })
      })
      if (this.#broken) throw new Error('the message broke off')
      if (piece === undefined) this.#over = true
      else yield piece
    }
  }
}
let body: Body | undefined
let working = false

/** Whoever asked is gone. What is being written is taken back; a command that has the whole message is not waited for. */
function end(): void {
  if (!working) process.exit(0)
  body?.cut()
  setTimeout(() => process.exit(0), endMs).unref()
  ending = true
}
let ending = false
const endMs = 5000

async function work({ job, identity }: Extract<ToChild, { type: 'job' }>, own: Body): Promise<void> {
  if (identity !== undefined) becomeUser(identity.uid, identity.gid, identity.user)
  if (process.getuid?.() === 0) {
    tell({ type: 'result', result: failure('a local delivery never runs as root') })
    return
  }
  let result: UserResult
  working = true
  try {
    result = await run(job, own)
  } catch (error) {
    result = failure(error instanceof Error ? error.message : String(error))
  }
  own.close()
  working = false
  if (ending) process.exit(0)
  tell({ type: 'result', result })
}

async function run(job: UserJob, own: Body): Promise<UserResult> {
  if (job.kind === 'read-file') return { is: 'file', file: systemFiles.read(job.path, job.limitBytes) }
  if (job.kind === 'stat-file') return { is: 'stat', stat: systemFiles.stat(job.path) }
  // Not loaded for a look at a .forward file.
  const { runLocalJob } = await import('../../flow/delivery/local-job.ts')
  return runLocalJob(job, own)
}

function failure(message: string): LocalResult {
  return { is: 'deferred', errno: -1, more: 0, message }
}

function tell(message: FromChild): void {
  if (process.connected) process.send?.(message)
}
