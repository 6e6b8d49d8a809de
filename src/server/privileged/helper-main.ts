/**
 * The privileged process beside one call of the program that delivers: it starts local deliveries, and whole deliveries
 * that go on when the call has ended; nothing else. A door: it starts processes.
 */
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { createAccounts } from '../../base/accounts.ts'
import { isMessageId } from '../../base/message-id.ts'
import { JobRunner } from './job-runner.ts'
import type { Channel } from './messages.ts'

const longestOrder = 4 << 20
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
runner.attach(parent)

const orders = new Socket({ fd: 4, readable: true, writable: false })
let text = ''
orders.on('error', () => undefined)
orders.on('data', (bytes) => {
  const lines = `${text}${bytes.toString('latin1')}`.split('\n')
  text = lines.pop() ?? ''
  for (const line of lines) obey(line)
  if (text.length > longestOrder) orders.destroy()
})

function obey(line: string): void {
  let order: { readonly ids?: unknown; readonly firstPass?: unknown }
  try {
    order = Object(JSON.parse(line))
  } catch {
    return
  }
  const { ids, firstPass } = order
  if (!Array.isArray(ids)) return
  const known = ids.filter((id): id is string => typeof id === 'string' && isMessageId(id))
  if (known.length > 0) deliver(known, firstPass === true)
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
