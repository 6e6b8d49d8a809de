/** What becomes of messages that one call accepts: `-odb`, `-odf`, `-odi`, `-odq`, `-odqs`. Source: Exim manual. */
import { spawn } from 'node:child_process'
import type { ReceiveServices } from '../../flow/receive/services.ts'
import type { SpooledMessage } from '../../store/spool/api.ts'
import type { ServerCall } from './call.ts'
import { has } from './parse.ts'

export interface CallQueueing {
  readonly services: ReceiveServices
  /** Sees to what was accepted; resolves when this call may end. */
  finish(): Promise<void>
}

/**
 * Messages are delivered before the call ends with -odf and -odi; with -odb, the default, a process of their own
 * delivers them after the call has ended; with -odq they wait.
 */
export async function queueingOf(call: ServerCall): Promise<CallQueueing> {
  const { invocation, server } = call
  const accepted: SpooledMessage[] = []
  const base = await server.receiving()
  const services: ReceiveServices = {
    ...base,
    ...(has(invocation, '-odq') ? { queueing: 'queue' } : {}),
    accepted(message, how) {
      if (how.next === 'deliver') accepted.push(message)
    },
  }
  const foreground = has(invocation, '-odf', '-odi', '-v', '-d')
  return {
    services,
    async finish() {
      if (accepted.length === 0) return
      const queue = await server.queue()
      if (foreground) for (const message of accepted) await queue.deliverNow(message)
      else
        deliverInBackground(
          call,
          accepted.map(({ id }) => id),
        )
    },
  }
}

/** A process that goes on when this one has ended. */
function deliverInBackground({ invocation, server }: ServerCall, ids: readonly string[]): void {
  const same = invocation.flags.flatMap(({ flag, value }) =>
    (flag === '-C' || flag === '-D') && value !== undefined ? [`${flag}${value}`] : [],
  )
  const child = spawn(process.execPath, [server.facts.eximPath, ...same, '-Mc', ...ids], {
    argv0: process.execPath,
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  })
  child.on('error', (error) => server.log.panic(ids[0], `cannot start the delivery: ${error.message}`))
  child.unref()
}
