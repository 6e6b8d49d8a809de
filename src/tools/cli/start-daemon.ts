/**
 * Starts a daemon for `-bd`, `-bdf` and `-q30m`: in this process, behind a privileged parent when it is root's, and
 * in the background unless that is not wanted.
 */
import { spawn } from 'node:child_process'
import { encodeUtf8 } from '../../base/text.ts'
import { renderDiagnostic } from '../../base/diagnostic-frame.ts'
import { checkTexts } from '../../server/check-configuration.ts'
import { runDaemon } from '../../server/daemon.ts'
import type { ServerCall } from './call.ts'
import { has, valueOf } from './parse.ts'
import type { QueueRunFlags } from './queue-flags.ts'
import { reloadFor } from './reload.ts'

export interface StartDaemon {
  readonly listen: boolean
  readonly foreground: boolean
  readonly queueRuns: QueueRunFlags | undefined
}

export async function startDaemon(call: ServerCall, how: StartDaemon): Promise<number> {
  const { invocation, server, terminal, state } = call
  for (const each of [...server.configuration.diagnostics, ...checkTexts(server.configuration)]) {
    terminal.err(`${encodeUtf8(renderDiagnostic({ ...each, severity: 'warning' }))}\n`)
  }
  if (!how.foreground && process.env['POSTERN_IN_BACKGROUND'] !== '1') return goToBackground(call)
  const override = valueOf(invocation, '-oX')
  const queueing = has(invocation, '-odq')
    ? 'queue'
    : has(invocation, '-odb', '-odf', '-odi')
      ? 'deliver'
      : undefined
  const result = await runDaemon(server, {
    listen: how.listen,
    override,
    pidFile: pidFileOf(call, how, override),
    ...(queueing === undefined ? {} : { queueing }),
    queueRuns: how.queueRuns,
    state,
    reload: () => reloadFor(call),
    onStarted: () => process.send?.('started'),
  })
  if (result.is === 'ended') return 0
  terminal.err(`${invocation.calledAs}: ${encodeUtf8(result.message)}\n`)
  server.log.panic(undefined, encodeUtf8(result.message))
  return 1
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
