/** What becomes of messages that one call accepts: `-odb`, `-odf`, `-odi`, `-odq`, `-odqs`. Source: Exim manual. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import type { Queueing, ReceiveServices } from '../../flow/receive/services.ts'
import { orderOf } from '../../server/flow.ts'
import type { DeliveryOrder } from '../../server/queue.ts'
import type { Server } from '../../server/server.ts'
import type { SpooledMessage } from '../../store/spool/api.ts'
import type { ServerCall } from './call.ts'
import { configurationFiles } from './prepare-server.ts'
import { commandTimeoutMs } from './session-timeout.ts'
import { has, type Invocation, valueOf } from './parse.ts'

export interface CallQueueing {
  readonly services: ReceiveServices
  /** Sees to what was accepted; resolves when this call may end. */
  /** Gives the exit code where a delivery has a say in it (`mua_wrapper`). */
  finish(): Promise<number>
}

/**
 * Messages are delivered before the call ends with -odf and -odi; with -odb, the default, a process of their own
 * delivers them after the call has ended; with -odq they wait.
 */
export async function queueingOf(call: ServerCall): Promise<CallQueueing> {
  const { invocation, server } = call
  const accepted: { readonly message: SpooledMessage; readonly order: DeliveryOrder }[] = []
  const base = await server.receiving()
  const services: ReceiveServices = {
    ...base,
    queueing: queueingFlag(invocation),
    foreground: has(invocation, '-odf', '-odi'),
    reference: call.rights.trusted ? valueOf(invocation, '-oMm') : undefined,
    commandTimeoutMs: commandTimeoutMs(invocation),
    accepted(message, how) {
      if (how.next === 'deliver') accepted.push({ message, order: orderOf(how) })
    },
  }
  const wrapper = server.settings.mua_wrapper
  const foreground = wrapper || has(invocation, '-odf', '-odi', '-v', '-d')
  return {
    services,
    async finish() {
      let exitCode = 0
      if (accepted.length === 0) return exitCode
      const queue = await server.queue()
      for (const later of [undefined, 'all'] as const) {
        const ids = accepted.filter(({ order }) => order.later === later)
        if (foreground) {
          for (const { message, order } of ids) {
            const summary = await queue.deliverNow(message, order)
            // The queue has logged why there is no summary.
            const problem = summary === undefined ? 'Delivery failed' : summary.problem
            if (!wrapper || problem === undefined) continue
            call.terminal.err(`${problem}\n`)
            exitCode = 1
          }
        } else if (ids.length > 0)
          await deliverInBackground(
            call,
            ids.map(({ message }) => message.id),
            later,
          )
      }
      await queue.idle()
      return exitCode
    },
  }
}

/** The last of the flags counts; `-odq` overrides all others. */
export function queueingFlag(invocation: Invocation): Queueing | undefined {
  if (has(invocation, '-odq')) return 'queue'
  if (has(invocation, '-odqs')) return 'smtp later'
  return has(invocation, '-odb', '-odd', '-odf', '-odi') ? 'deliver' : undefined
}

/** A process that goes on when this one has ended, started by whoever has the power that deliveries need. */
async function deliverInBackground(
  { invocation, server, deliverInBackground: withPower }: ServerCall,
  ids: readonly string[],
  later: DeliveryOrder['later'],
): Promise<void> {
  const firstPass = later !== undefined
  if (withPower !== undefined) return withPower(ids, firstPass)
  const child = spawn(
    process.execPath,
    [...sameProgram(invocation, server), ...(firstPass ? ['-odqs'] : []), '-Mc', ...ids],
    {
      argv0: process.execPath,
      detached: true,
      stdio: 'ignore',
      cwd: '/',
    },
  )
  child.on('error', (error) => server.log.panic(ids[0], `cannot start the delivery: ${error.message}`))
  child.unref()
}

/** The program, and the flags that choose the same configuration. */
export function sameProgram(invocation: Invocation, server: Server): readonly string[] {
  // It works in another folder: names that count from this one are made whole.
  const files = configurationFiles(invocation)?.map((file) => (file === '' ? '' : resolve(file)))
  const macros = invocation.flags.filter(({ flag }) => flag === '-D').map(({ value }) => `-D${value ?? ''}`)
  return [server.facts.eximPath, ...(files === undefined ? [] : [`-C${files.join(':')}`]), ...macros]
}
