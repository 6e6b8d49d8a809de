/** A queue of 200,000 messages: starting, counting, the first line of the listing. Of the times, most is Node's own start. */
import { spawnSync } from 'node:child_process'
import { longQueue } from '../test/support/long-queue.ts'
import type { Figure } from './run.ts'

export async function run(): Promise<Figure[]> {
  const messages = Number(process.env['QUEUE_MESSAGES'] ?? 200_000)
  const { startMs, countMs, headMs } = await longQueue(messages)
  const before = performance.now()
  spawnSync(process.execPath, ['-e', '0'])
  const nodeMs = performance.now() - before
  return [
    { name: 'node -e 0, at the same time', value: nodeMs, unit: 'ms' },
    { name: `${messages} queued: the daemon greets after`, value: startMs, unit: 'ms' },
    { name: `${messages} queued: -bpc`, value: countMs, unit: 'ms' },
    { name: `${messages} queued: -bp | head -1`, value: headMs, unit: 'ms' },
  ]
}
