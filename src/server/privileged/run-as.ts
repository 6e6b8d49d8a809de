/** Asks the privileged process to run a local delivery under another uid. */
import type { LocalJob, LocalResult } from '../../flow/delivery/local-job.ts'
import type { Channel, FromRunner, ToRunner } from './messages.ts'

export type RunAs = (
  uid: number,
  gid: number,
  job: LocalJob,
  body: AsyncIterable<Uint8Array>,
) => Promise<LocalResult>

interface Waiting {
  readonly body: AsyncIterator<Uint8Array>
  readonly resolve: (result: LocalResult) => void
}

export function createRunAs(channel: Channel): RunAs {
  const waiting = new Map<number, Waiting>()
  let last = 0
  const send = (message: ToRunner): boolean => channel.send(message)

  channel.on('message', (raw) => {
    // Only the privileged process is at the other end of this channel.
    const message = raw as FromRunner
    if (message.type === 'more') void sendPiece(message.number)
    else if (message.type === 'result') settle(message.number, message.result)
  })
  channel.on('disconnect', () => {
    for (const number of waiting.keys()) settle(number, lost('the privileged process is gone'))
  })

  function settle(number: number, result: LocalResult): void {
    const job = waiting.get(number)
    waiting.delete(number)
    job?.resolve(result)
  }

  async function sendPiece(number: number): Promise<void> {
    const job = waiting.get(number)
    if (job === undefined) return
    try {
      const next = await job.body.next()
      send({ type: 'body', number, piece: next.done === true ? undefined : next.value })
    } catch (error) {
      send({ type: 'cancel', number })
      settle(
        number,
        lost(`cannot read the message: ${error instanceof Error ? error.message : String(error)}`),
      )
    }
  }

  return (uid, gid, job, body) =>
    new Promise((resolve) => {
      const number = ++last
      waiting.set(number, { body: body[Symbol.asyncIterator](), resolve })
      // A full channel still takes it; a closed one settles it with `disconnect`.
      send({ type: 'job', number, uid, gid, job })
    })
}

function lost(message: string): LocalResult {
  return { is: 'deferred', errno: -1, more: 0, message }
}
