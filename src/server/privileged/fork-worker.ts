/**
 * Starts the processes that work for a daemon's parent. A door: it starts processes.
 *
 * The first one is started before the parent has read the configuration, so that both do it at the same time; it does nothing
 * else until the parent tells it to go on. With modules that only one of them needs left out, a start took 1.15 s where it took
 * 1.52 (medians of 14, interleaved, load 10 on two cores).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { newTicketSecret, ticketSecretVariable } from '../ticket-keys.ts'

/** A worker that waits for the parent's word. */
export interface EarlyWorker {
  readonly child: ChildProcess
  readonly ticketSecret: string
}

/** Set in its environment. */
const waitsVariable = 'POSTERN_WORKER_WAITS'

/**
 * V8's young generation. Its default of 16 MiB grows under load, which is most of what idle connections cost; with 2 MiB
 * collecting it was a sixth of the processor time of relaying. Measured of 2 / 4 / 8 MiB, relaying 4 KB in 50 sessions on
 * a busy machine: 1.44 / 1.34 / 1.06 ms a message; an idle connection, of 5,000: 10.4 / 11.9 / 13 KiB at once and
 * 9.7 / 8.2 / 12 KiB after some quiet seconds.
 */
export const workerFlags = ['--max-semi-space-size=4', '--expose-gc']

/** This program with these arguments, as worker `number`. */
export function forkWorker(number: number, ticketSecret: string, waits = false): ChildProcess {
  const variables = { POSTERN_WORKER: String(number), [ticketSecretVariable]: ticketSecret }
  return fork(process.argv[1] ?? '', process.argv.slice(2), {
    env: { ...process.env, ...variables, ...(waits ? { [waitsVariable]: '1' } : {}) },
    execArgv: [...process.execArgv, ...workerFlags],
    serialization: 'advanced',
  })
}

/** Worker 0 of a daemon whose configuration is still to be read. */
export function forkEarly(): EarlyWorker {
  const ticketSecret = newTicketSecret()
  const child = forkWorker(0, ticketSecret, true)
  // Whether it could be started is seen by its exit.
  child.on('error', () => undefined)
  return { child, ticketSecret }
}

/** In a worker: resolves at once, or when the parent has made ready what this one needs; never when the parent ends. */
export async function parentIsReady(): Promise<void> {
  const waits = process.env[waitsVariable] !== undefined
  delete process.env[waitsVariable]
  if (!waits) return
  await new Promise<void>((resolve) => {
    const hear = (raw: unknown): void => {
      if (typeof raw !== 'object' || raw === null || !('type' in raw) || raw.type !== 'go') return
      process.off('message', hear)
      process.off('disconnect', gone)
      resolve()
    }
    const gone = (): void => process.exit(0)
    process.on('message', hear)
    process.on('disconnect', gone)
    if (!process.connected) gone()
  })
}
