/** The privileged process beside one call of the program that delivers: it starts local deliveries, nothing else. */
import { createAccounts } from '../../base/accounts.ts'
import { JobRunner } from './job-runner.ts'
import type { Channel } from './messages.ts'

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
