/** `-bS`: messages as SMTP commands in a file, without replies. Source: Exim manual, "-bS". */
import { receiveBatch } from '../../../flow/receive/batch.ts'
import { IdleWatch } from '../../../wire/idle-watch.ts'
import { StreamIo } from '../../../wire/stream-io.ts'
import type { ServerCall } from '../call.ts'
import { queueingOf } from '../queueing.ts'
import { describedConnection } from '../stdin-session.ts'

export async function run(call: ServerCall): Promise<number> {
  const queueing = await queueingOf(call)
  // Reading bytes is all that is wanted of it: nothing is written.
  const source = new StreamIo({ input: process.stdin, output: process.stderr, watch: new IdleWatch() })
  const connection = describedConnection(call, { kind: 'local' })
  const recorded = call.server.recorder?.local(connection)
  const services = recorded?.watched(queueing.services) ?? queueing.services
  const outcome = await receiveBatch(source, connection, services)
  const refused = outcome.exitCode !== 0
  recorded?.finish({ refused, text: refused ? `refused: ${outcome.stderr.trim()}` : 'accepted' })
  call.terminal.out(outcome.stdout)
  call.terminal.err(outcome.stderr)
  source.release()
  process.stdin.destroy()
  const delivered = await queueing.finish()
  return outcome.exitCode === 0 ? delivered : outcome.exitCode
}
