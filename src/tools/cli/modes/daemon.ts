/** `-bd`, `-bdf`, and `-q30m` alone: the daemon. Source: Exim manual, "-bd", "-bdf". */
import type { ServerCall } from '../call.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { startDaemon } from '../start-daemon.ts'
import { has } from '../parse.ts'
import { queueRunFlags } from '../queue-flags.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, terminal } = call
  const runs = queueRunFlags(invocation)
  if (runs.is === 'wrong') {
    terminal.err(`${encodeUtf8(runs.message)}\n`)
    return 1
  }
  return startDaemon(call, {
    listen: true,
    foreground: has(invocation, '-bdf', '-d', '-v'),
    queueRuns: runs.is === 'flags' ? runs.flags : undefined,
  })
}
