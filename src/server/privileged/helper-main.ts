/**
 * The privileged process beside one call of the program that delivers: it starts local deliveries, and whole deliveries
 * that go on when the call has ended; nothing else. A door: it starts processes.
 */
import { spawn } from 'node:child_process'
import { createAccounts } from '../../base/accounts.ts'
import { isMessageId } from '../../base/message-id.ts'
import { JobRunner } from './job-runner.ts'
import type { Channel, ToHelper } from './messages.ts'

const accounts = createAccounts()
const never = new Set(
  (process.argv[2] ?? '')
    .split(',')
    .filter((uid) => uid !== '')
    .map(Number),
)
const runner = new JobRunner({ neverUids: () => never, loginOf: (uid) => accounts.byUid(uid)?.name })
const parent: Channel = {
  send: (message) => process.connected && (process.send?.(message) ?? false),
  on: (event: 'message' | 'disconnect', listener: (message: unknown) => void) => process.on(event, listener),
}

process.on('SIGUSR1', () => undefined)
process.on('SIGINT', () => undefined)
process.on('disconnect', () => {
  runner.close()
  // Deliveries under way end by themselves; nothing holds this process once they have.
})
process.on('message', (raw) => {
  const ids = idsOf(raw)
  if (ids.length > 0) deliver(ids, (raw as ToHelper).firstPass)
})
runner.attach(parent)

function idsOf(raw: unknown): readonly string[] {
  const { type, ids } = raw as { readonly type?: unknown; readonly ids?: unknown }
  if (type !== 'deliver' || !Array.isArray(ids)) return []
  return ids.filter((id): id is string => typeof id === 'string' && isMessageId(id))
}

/** As root's own call: behind a setuid launcher this process has root's power and its caller's name. */
function deliver(ids: readonly string[], firstPass: boolean): void {
  const program = process.argv.slice(3)
  const child = spawn(process.execPath, [...program, ...(firstPass ? ['-odqs'] : []), '-Mc', ...ids], {
    argv0: process.execPath,
    cwd: '/',
    detached: true,
    env: {},
    stdio: 'ignore',
    uid: 0,
    gid: 0,
  })
  child.on('error', () => undefined)
  child.unref()
}
