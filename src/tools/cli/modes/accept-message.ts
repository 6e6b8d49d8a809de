/**
 * `-bm` and plain `sendmail`: takes a message from standard input. A caller who has no right to the spool hands it
 * over through the drop folder. Source: Exim manual, "-bm".
 */
import { parseInterval } from '../../../base/interval.ts'
import { dropFolderOf, mayUseSpool } from '../../../server/drop-folder.ts'
import { IdleWatch } from '../../../wire/idle-watch.ts'
import { StreamIo } from '../../../wire/stream-io.ts'
import type { ServerCall } from '../call.ts'
import { localSubmission } from '../local-submission.ts'
import { dropMessage } from '../drop-message.ts'
import { valueOf } from '../parse.ts'
import { queueingOf } from '../queueing.ts'
import { receiveRecorded } from '../receive-recorded.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const limit = valueOf(invocation, '-or')
  const limitSeconds = limit === undefined ? server.settings.receive_timeout : parseInterval(limit)
  if (limitSeconds === undefined) {
    terminal.err(`${invocation.calledAs}: bad time value ${limit}: abandoned\n`)
    return 1
  }
  if (!mayUseSpool(server.facts.spoolDirectory)) {
    if (server.settings.mua_wrapper) {
      terminal.err(
        `${invocation.calledAs}: mua_wrapper delivers at once, and you may not write into ${server.facts.spoolDirectory}\n`,
      )
      return 1
    }
    return dropMessage(invocation, terminal, dropFolderOf(server.facts.spoolDirectory))
  }
  const queueing = await queueingOf(call)
  // Reading bytes is all that is wanted of it: nothing is written.
  const source = new StreamIo({ input: process.stdin, output: process.stderr, watch: new IdleWatch() })
  const submission = localSubmission(call, source, limitSeconds * 1000)
  const outcome = await receiveRecorded(submission, queueing.services, server)
  if (outcome.problem !== undefined) terminal.err(`${outcome.problem}\n`)
  source.release()
  process.stdin.destroy()
  const delivered = await queueing.finish()
  return outcome.exitCode === 0 ? delivered : outcome.exitCode
}
