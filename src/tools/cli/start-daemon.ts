/**
 * Starts a daemon for `-bd`, `-bdf` and `-q30m`: a parent and its workers, in the background unless that is not wanted.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { encodeUtf8 } from '../../base/text.ts'
import {
  certificateWarning,
  type DaemonOptions,
  type DaemonResult,
  runDaemon,
  startedLine,
} from '../../server/daemon.ts'
import { becomeUser } from '../../server/privileged/become.ts'
import { type FromWorker, runParent } from '../../server/privileged/parent.ts'
import { createAsUser } from '../../server/privileged/run-as.ts'
import { tellServiceManager } from '../../server/service-manager.ts'
import type { Channel } from '../../server/privileged/messages.ts'
import { askForSockets } from '../../server/privileged/sockets.ts'
import { sharedCounts } from '../../server/shared-counts.ts'
import type { ServerCall } from './call.ts'
import { has, valueOf } from './parse.ts'
import { queueingFlag } from './queueing.ts'
import { commandTimeoutMs } from './session-timeout.ts'
import type { QueueRunFlags } from './queue-flags.ts'
import { warn } from './warnings.ts'
import { takeDropped } from './take-dropped.ts'

export interface StartDaemon {
  readonly listen: boolean
  readonly foreground: boolean
  readonly queueRuns: QueueRunFlags | undefined
}

export async function startDaemon(call: ServerCall, how: StartDaemon): Promise<number> {
  const { invocation, server, terminal, state } = call
  if (server.settings.mua_wrapper) {
    const wrong = 'Daemon cannot be run when mua_wrapper is set'
    server.log.panic(undefined, wrong)
    terminal.err(`${wrong}\n`)
    return 1
  }
  if (workerNumber() === undefined) warn(call)
  if (!how.foreground && process.env['POSTERN_IN_BACKGROUND'] !== '1') return goToBackground(call)
  const override = valueOf(invocation, '-oX')
  const pidFile = pidFileOf(call, how, override)
  const result = await (workerNumber() === undefined
    ? runParent(server, {
        workers: workersOf(call, how),
        pidFile,
        state,
        startedLine,
        warning: how.listen ? certificateWarning(server) : undefined,
        onStarted,
      })
    : runWorker(call, how, override))
  if (result.is === 'ended') return 0
  if (workerNumber() === undefined) {
    terminal.err(`${invocation.calledAs}: ${encodeUtf8(result.message)}\n`)
    server.log.panic(undefined, encodeUtf8(result.message))
  }
  return 1
}

/** Whoever put this process into the background learns that it listens, and so does systemd. */
function onStarted(): void {
  process.send?.('started')
  const wrong = tellServiceManager(`READY=1\nMAINPID=${process.pid}`)
  if (wrong !== undefined) process.stderr.write(`postern: systemd could not be told: ${wrong}\n`)
  process.once('SIGTERM', () => void tellServiceManager('STOPPING=1'))
}

function daemonOptions(
  call: ServerCall,
  how: StartDaemon,
  override: string | undefined,
  watchesDrop = how.listen,
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

/** Set by the privileged parent in the environment of its workers, which hold a channel to it. */
function workerNumber(): number | undefined {
  const number = process.env['POSTERN_WORKER']
  return process.channel !== undefined && number !== undefined ? Number(number) : undefined
}

/** More would only wait for each other. */
const mostWorkers = 64

/** `daemon_workers`; a queue runner is one. */
function workersOf({ server }: ServerCall, how: StartDaemon): number {
  const wanted = server.settings.daemon_workers
  if (!how.listen) return 1
  return wanted === 0 ? availableParallelism() : Math.min(Math.max(wanted, 1), mostWorkers)
}

/** A worker: its configuration was read with root's power; from here on it has none. */
async function runWorker(
  call: ServerCall,
  how: StartDaemon,
  override: string | undefined,
): Promise<DaemonResult> {
  const { server } = call
  const { user } = server
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
  })
  const first = workerNumber() === 0
  const result = await runDaemon(server, {
    ...daemonOptions(call, { ...how, queueRuns: first ? how.queueRuns : undefined }, override, first),
    pidFile: undefined,
    worker: { parent, bind: askForSockets(parent), stop: stop.signal, retire: retire.signal },
    // Of a single worker its own counts are the daemon's.
    ...(workersOf(call, how) > 1 ? { counts: sharedCounts(parent) } : {}),
    onStarted: (addresses, line) => tell({ type: 'started', addresses, line }),
  })
  if (result.is === 'failed') tell({ type: 'failed', message: result.message })
  if (process.connected) process.disconnect()
  return result
}

/** With -oX the usual pid file is left alone; a queue runner alone writes none. */
function pidFileOf(
  { invocation, server }: ServerCall,
  how: StartDaemon,
  override: string | undefined,
): string | undefined {
  const given = valueOf(invocation, '-oP')
  if (given !== undefined) return given
  return how.listen && override === undefined ? server.pidFilePath : undefined
}

/** Starts this program again without a terminal, and waits until that one listens or says why not. */
function goToBackground({ terminal }: ServerCall): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      detached: true,
      env: { ...process.env, POSTERN_IN_BACKGROUND: '1' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr?.on('data', (piece: Buffer) => terminal.err(piece.toString('latin1')))
    child.once('message', () => {
      child.disconnect()
      child.unref()
      child.stderr?.destroy()
      resolve(0)
    })
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
