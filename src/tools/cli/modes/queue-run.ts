/** `-q`, `-R`, `-S`: a queue run; with an interval, a daemon that only runs the queue. Source: Exim manual, "-q". */
import type { ServerCall } from '../call.ts'
import { encodeUtf8 } from '../../../base/text.ts'
import { startDaemon } from '../start-daemon.ts'
import { queueRunFlags } from '../queue-flags.ts'
import { has } from '../parse.ts'

export async function run(call: ServerCall): Promise<number> {
  const { invocation, terminal, server } = call
  const runs = queueRunFlags(invocation)
  if (runs.is !== 'flags') {
    if (runs.is === 'wrong') terminal.err(`${encodeUtf8(runs.message)}\n`)
    return 1
  }
  if (runs.flags.everySeconds !== undefined) {
    return startDaemon(call, {
      listen: false,
      foreground: has(invocation, '-d', '-v'),
      queueRuns: runs.flags,
    })
  }
  const queue = await server.queue()
  await queue.run(runs.flags.request)
  await queue.idle()
  return 0
}
