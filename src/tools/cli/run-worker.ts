/** A worker of a daemon: its parent has started it with the daemon's own command line. */
import { type DaemonOptions, type DaemonResult, runDaemon } from '../../server/daemon.ts'
import { becomeUser } from '../../server/privileged/become.ts'
import { parentIsReady } from '../../server/privileged/fork-worker.ts'
import type { Channel } from '../../server/privileged/messages.ts'
import type { FromWorker } from '../../server/privileged/parent.ts'
import { createAsUser } from '../../server/privileged/run-as.ts'
import { askForSockets } from '../../server/privileged/sockets.ts'
import { sharedCounts } from '../../server/shared-counts.ts'
import type { ServerCall } from './call.ts'
import { has } from './parse.ts'
import { queueingFlag } from './queueing.ts'
import { commandTimeoutMs } from './session-timeout.ts'
import type { StartDaemon } from './start-daemon.ts'
import { takeDropped } from './take-dropped.ts'

export interface WorkerPlace {
  readonly number: number
  /** Value of -oX. */
  readonly override: string | undefined
  /** It is the only one. */
  readonly alone: boolean
}

/** A worker: its configuration was read with root's power; from here on it has none. */
export async function runWorker(
  call: ServerCall,
  how: StartDaemon,
  { number, override, alone }: WorkerPlace,
): Promise<DaemonResult> {
  const { server } = call
  const { user } = server
  await parentIsReady()
  const tell = (message: FromWorker): void => void process.send?.(message)
  const parent: Channel = {
    send: (message) => process.connected && (process.send?.(message) ?? false),
    on: (event: 'message' | 'disconnect', listener: (message: unknown, socket?: unknown) => void) =>
      process.on(event, listener),
  }
  // The parent can have things done under other uids only when it is root's.
  if (process.geteuid?.() === 0 && user.uid !== 0) server.setAsUser(createAsUser(parent))
  server.context().debug?.('uid', `changed uid/gid: ${user.name} uid=${user.uid} gid=${user.gid}`)
  becomeUser(user.uid, user.gid, user.name)
  const stop = new AbortController()
  const retire = new AbortController()
  process.on('disconnect', () => stop.abort())
  process.on('message', (raw: unknown) => {
    if (typeof raw !== 'object' || raw === null || !('type' in raw)) return
    if (raw.type === 'stop') stop.abort()
    if (raw.type === 'retire') retire.abort()
    if (raw.type === 'died')
      server.store
        .takeOver()
        .catch((error: unknown) => server.fault('taking over from a process that died', error))
  })
  const first = number === 0
  const result = await runDaemon(server, {
    ...daemonOptions(call, { ...how, queueRuns: first ? how.queueRuns : undefined }, override, first),
    pidFile: undefined,
    worker: {
      parent,
      bind: askForSockets(parent),
      stop: stop.signal,
      retire: retire.signal,
      queueRuns: how.queueRuns,
    },
    // Of a single worker its own counts are the daemon's.
    ...(alone ? {} : { counts: sharedCounts(parent) }),
    onStarted: (addresses, line) => tell({ type: 'started', addresses, line }),
  })
  if (result.is === 'failed') tell({ type: 'failed', message: result.message })
  if (process.connected) process.disconnect()
  return result
}

function daemonOptions(
  call: ServerCall,
  how: StartDaemon,
  override: string | undefined,
  watchesDrop: boolean,
): Omit<DaemonOptions, 'pidFile'> {
  const { invocation, state } = call
  const queueing = queueingFlag(invocation)
  const timeout = commandTimeoutMs(invocation)
  return {
    listen: how.listen,
    override,
    ...(queueing === undefined ? {} : { queueing }),
    ...(timeout === undefined ? {} : { commandTimeoutMs: timeout }),
    tlsOnConnect: has(invocation, '-tls-on-connect'),
    queueRuns: how.queueRuns,
    state,
    ...(watchesDrop ? { takeDropped } : {}),
  }
}
