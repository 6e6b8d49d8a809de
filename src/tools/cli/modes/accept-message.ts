/**
 * `-bm` and plain `sendmail`: takes a message from standard input. A caller who has no right to the spool hands it
 * over through the drop folder. Source: Exim manual, "-bm".
 */
import { encodeUtf8 } from '../../../base/text.ts'
import { parseInterval } from '../../../base/interval.ts'
import { receiveLocal } from '../../../flow/receive/local.ts'
import { dropFolderOf, mayUseSpool } from '../../../server/drop-folder.ts'
import { writeDrop } from '../../../store/drop.ts'
import { IdleWatch } from '../../../wire/idle-watch.ts'
import { StreamIo } from '../../../wire/stream-io.ts'
import type { ServerCall } from '../call.ts'
import { localSubmission } from '../local-submission.ts'
import { has, valueOf } from '../parse.ts'
import { queueingOf } from '../queueing.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const limit = valueOf(invocation, '-or')
  const limitSeconds = limit === undefined ? server.settings.receive_timeout : parseInterval(limit)
  if (limitSeconds === undefined) {
    terminal.err(`${invocation.calledAs}: bad time value ${limit}: abandoned\n`)
    return 1
  }
  if (!mayUseSpool(server.facts.spoolDirectory)) return dropIt(call)
  const queueing = await queueingOf(call)
  // Reading bytes is all that is wanted of it: nothing is written.
  const source = new StreamIo({ input: process.stdin, output: process.stderr, watch: new IdleWatch() })
  const outcome = await receiveLocal(localSubmission(call, source, limitSeconds * 1000), queueing.services)
  if (outcome.problem !== undefined) terminal.err(`${outcome.problem}\n`)
  source.release()
  process.stdin.destroy()
  await queueing.finish()
  return outcome.exitCode
}

/** The daemon reads the message under the name of whoever owns the file; errors come back by mail. */
async function dropIt({ invocation, server, terminal }: ServerCall): Promise<number> {
  if (invocation.args.length === 0 && !has(invocation, '-t', '-ti')) {
    terminal.err(`${invocation.calledAs}: no recipients\n`)
    return 1
  }
  const folder = dropFolderOf(server.facts.spoolDirectory)
  const args = process.argv.slice(2)
  const result = await writeDrop(folder, { calledAs: invocation.calledAs, args }, bytesOf(terminal.input))
  if (result.is === 'dropped') return 0
  terminal.err(`${invocation.calledAs}: the message cannot be handed over: ${encodeUtf8(result.why)}\n`)
  // EX_TEMPFAIL: programs that submit try again.
  return 75
}

async function* bytesOf(input: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  for await (const piece of input) yield typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
}
