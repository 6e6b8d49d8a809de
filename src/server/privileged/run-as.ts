/** Asks the privileged process to have things done under another uid: local deliveries, and looks at files. */
import type { LocalJob, LocalResult } from '../../flow/delivery/local-job.ts'
import type { FileTrouble, UserFiles, UserIds } from '../../ports.ts'
import { systemFiles } from '../files.ts'
import type { Channel, FileJob, FromRunner, ToRunner, UserJob, UserResult } from './messages.ts'

export type RunAs = (
  uid: number,
  gid: number,
  job: LocalJob,
  body: AsyncIterable<Uint8Array>,
) => Promise<LocalResult>

/** What a process without rights may have done for it. */
export interface AsUser {
  readonly run: RunAs
  readonly files: UserFiles
}

interface Waiting {
  readonly body: AsyncIterator<Uint8Array> | undefined
  readonly resolve: (result: UserResult) => void
}

const goneText = 'the privileged process is gone'
/** A file system that hangs must not hold routing up for ever. */
const fileLimitMs = 15_000

export function createAsUser(channel: Channel): AsUser {
  const waiting = new Map<number, Waiting>()
  let last = 0
  let gone = false
  const send = (message: ToRunner): boolean => channel.send(message)

  channel.on('message', (raw) => {
    // Only the privileged process is at the other end of this channel.
    const message = raw as FromRunner
    if (message.type === 'more') void sendPiece(message.number)
    else if (message.type === 'result') settle(message.number, message.result)
  })
  channel.on('disconnect', () => {
    gone = true
    for (const number of waiting.keys()) settle(number, lost(goneText))
  })

  function settle(number: number, result: UserResult): void {
    const job = waiting.get(number)
    waiting.delete(number)
    // Of a delivery that ended early: what it reads from is closed.
    void job?.body?.return?.().catch(() => undefined)
    job?.resolve(result)
  }

  async function sendPiece(number: number): Promise<void> {
    const job = waiting.get(number)
    if (job?.body === undefined) return
    try {
      const next = await job.body.next()
      send({ type: 'body', number, piece: next.done === true ? undefined : next.value })
    } catch (error) {
      giveUp(number, `cannot read the message: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  function giveUp(number: number, why: string): void {
    send({ type: 'cancel', number })
    settle(number, lost(why))
  }

  function ask(
    { uid, gid }: UserIds,
    job: UserJob,
    how: { readonly body?: AsyncIterable<Uint8Array>; readonly limitMs?: number },
  ): Promise<UserResult> {
    if (gone) return Promise.resolve(lost(goneText))
    return new Promise((resolve) => {
      const number = ++last
      const timer =
        how.limitMs === undefined
          ? undefined
          : setTimeout(() => giveUp(number, 'the file system does not answer'), how.limitMs)
      const done = (result: UserResult): void => {
        clearTimeout(timer)
        resolve(result)
      }
      waiting.set(number, { body: how.body?.[Symbol.asyncIterator](), resolve: done })
      // A full channel still takes it; a closed one settles it with `disconnect`.
      send({ type: 'job', number, uid, gid, job })
    })
  }

  const isOwn = ({ uid, gid }: UserIds): boolean => uid === process.geteuid?.() && gid === process.getegid?.()
  const look = (ids: UserIds, kind: FileJob['kind'], path: string, limitBytes: number): Promise<UserResult> =>
    ask(ids, { kind, path, limitBytes, initgroups: false }, { limitMs: fileLimitMs })

  return {
    async run(uid, gid, job, body) {
      const result = await ask({ uid, gid }, job, { body })
      return result.is === 'file' || result.is === 'stat' ? lost('no answer to a delivery') : result
    },
    files: {
      async read(ids, path, limitBytes) {
        if (isOwn(ids)) return systemFiles.read(path, limitBytes)
        const result = await look(ids, 'read-file', path, limitBytes)
        return result.is === 'file' ? result.file : troubleOf(result)
      },
      async stat(ids, path) {
        if (isOwn(ids)) return systemFiles.stat(path)
        const result = await look(ids, 'stat-file', path, 0)
        return result.is === 'stat' ? result.stat : troubleOf(result)
      },
    },
  }
}

function troubleOf(result: UserResult): FileTrouble {
  return { error: 'message' in result ? result.message : 'no answer', code: 'EIO' }
}

function lost(message: string): LocalResult {
  return { is: 'deferred', errno: -1, more: 0, message }
}
