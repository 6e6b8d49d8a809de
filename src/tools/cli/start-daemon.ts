/**
 * Starts a daemon for `-bd`, `-bdf` and `-q30m`: a parent and its workers, in the background unless that is not wanted.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { encodeUtf8 } from '../../base/text.ts'
import { tellServiceManager } from '../../server/service-manager.ts'
import { certificateWarning, startedLine } from '../../server/start-lines.ts'
import type { DaemonResult } from '../../server/daemon.ts'
import type { ParentResult } from '../../server/privileged/parent.ts'
import type { WorkerPlace } from './run-worker.ts'
import type { ServerCall } from './call.ts'
import { valueOf } from './parse.ts'
import type { QueueRunFlags } from './queue-flags.ts'
import { warn } from './warnings.ts'

export interface StartDaemon {
  readonly listen: boolean
  readonly foreground: boolean
  readonly queueRuns: QueueRunFlags | undefined
}

export async function startDaemon(call: ServerCall, how: StartDaemon): Promise<number> {
  const { invocation, server, terminal } = call
  if (server.settings.mua_wrapper && workerNumber() === undefined) {
    const wrong = 'Daemon cannot be run when mua_wrapper is set'
    server.log.panic(undefined, wrong)
    terminal.err(`${wrong}\n`)
    return 1
  }
  if (workerNumber() === undefined) warn(call)
  if (!how.foreground && process.env['POSTERN_IN_BACKGROUND'] !== '1') return goToBackground(call)
  const override = valueOf(invocation, '-oX')
  const pidFile = pidFileOf(call, how, override)
  const number = workerNumber()
  const result =
    number === undefined
      ? await beParent(call, how, pidFile)
      : await beWorker(call, how, { number, override, alone: workersOf(call, how) === 1 })
  if (result.is === 'ended') return 0
  if (number === undefined) {
    terminal.err(`${invocation.calledAs}: ${encodeUtf8(result.message)}\n`)
    server.log.panic(undefined, encodeUtf8(result.message))
  }
  return 1
}

/** What only the other kind of process needs is not loaded: it costs time at the start, and memory. */
async function beParent(
  call: ServerCall,
  how: StartDaemon,
  pidFile: string | undefined,
): Promise<ParentResult> {
  const { runParent } = await import('../../server/privileged/parent.ts')
  const { server, state, early } = call
  return runParent(server, {
    workers: workersOf(call, how),
    pidFile,
    early,
    state,
    startedLine,
    warning: how.listen ? certificateWarning(server) : undefined,
    onStarted,
  })
}

async function beWorker(call: ServerCall, how: StartDaemon, as: WorkerPlace): Promise<DaemonResult> {
  const { runWorker } = await import('./run-worker.ts')
  return runWorker(call, how, as)
}

/** Whoever put this process into the background learns that it listens, and so does systemd. */
function onStarted(): void {
  process.send?.('started')
  const wrong = tellServiceManager(`READY=1\nMAINPID=${process.pid}`)
  if (wrong !== undefined) process.stderr.write(`postern: systemd could not be told: ${wrong}\n`)
  process.once('SIGTERM', () => void tellServiceManager('STOPPING=1'))
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
