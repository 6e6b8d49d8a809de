/**
 * `-bm` and plain `sendmail`: takes a message from standard input. Source: Exim manual, "-bm", "-t", "-i", "-f", "-oe".
 */
import { parseInterval } from '../../../base/interval.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { receiveLocal } from '../../../flow/receive/local.ts'
import { IdleWatch } from '../../../wire/idle-watch.ts'
import { StreamIo } from '../../../wire/stream-io.ts'
import type { ServerCall } from '../call.ts'
import { has, valueOf } from '../parse.ts'
import { queueingOf } from '../queueing.ts'
import { describedConnection } from '../stdin-session.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, server, terminal } = call
  const limit = valueOf(invocation, '-or')
  const limitSeconds = limit === undefined ? server.settings.receive_timeout : parseInterval(limit)
  if (limitSeconds === undefined) {
    terminal.err(`${invocation.calledAs}: bad time value ${limit}: abandoned\n`)
    return 1
  }
  const { services, finish } = await queueingOf(call)
  // Reading bytes is all that is wanted of it: nothing is written.
  const source = new StreamIo({ input: process.stdin, output: process.stderr, watch: new IdleWatch() })
  const outcome = await receiveLocal(
    {
      source,
      connection: describedConnection(call, { kind: 'local' }),
      recipients: invocation.args.map(encodeUtf8),
      fromHeaders: has(invocation, '-t', '-ti'),
      dotEnds: !has(invocation, '-i', '-oi', '-oitrue', '-ti'),
      sender: bytesOf(valueOf(invocation, '-f', '-r')),
      fullName: bytesOf(valueOf(invocation, '-F')),
      qualify: !has(invocation, '-bnq'),
      errors: errorsOf(call),
      timeoutMs: limitSeconds * 1000,
    },
    services,
  )
  if (outcome.problem !== undefined) terminal.err(`${outcome.problem}\n`)
  source.release()
  process.stdin.destroy()
  await finish()
  return outcome.exitCode
}

/** How errors are reported: the last of the -oe flags counts. */
function errorsOf({ invocation }: ServerCall): 'mail' | 'mail-zero' | 'print' {
  const given = invocation.flags.findLast(({ flag }) => /^-oe/.test(flag))?.flag
  if (given === '-oee') return 'mail-zero'
  return given === '-oep' || given === '-oeq' ? 'print' : 'mail'
}

function bytesOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : encodeUtf8(text)
}
