/**
 * 100,000 messages to 1,000 domains, a tenth of which refuse, time out or drop the connection at random.
 * `STORM_MESSAGES` and `STORM_DOMAINS` make it smaller.
 */
import { storm } from '../test/support/storm.ts'
import type { Figure } from './run.ts'

export async function run(): Promise<Figure[]> {
  const messages = Number(process.env['STORM_MESSAGES'] ?? 100_000)
  const domains = Number(process.env['STORM_DOMAINS'] ?? 1000)
  const result = await storm({
    messages,
    domains,
    sources: 20,
    drainMs: 1_800_000,
    onProgress: (line) => console.log(`  ${line}`),
  })
  const mebibytes = (bytes: number): number => bytes / 1_048_576
  return [
    { name: 'acknowledged', value: result.acknowledged, unit: 'messages' },
    { name: 'lost', value: result.lost, unit: 'messages' },
    { name: 'twice, the answer to the final dot being lost', value: result.doubled, unit: 'messages' },
    { name: 'twice without reason', value: result.doubledWithoutReason, unit: 'messages' },
    { name: 'bounces', value: result.bounces, unit: 'messages' },
    { name: 'accepted', value: (result.acknowledged / result.acceptedMs) * 1000, unit: 'messages/s' },
    {
      name: 'accepted and delivered',
      value: (result.acknowledged / result.totalMs) * 1000,
      unit: 'messages/s',
    },
    {
      name: 'memory of all processes, a quarter delivered',
      value: mebibytes(result.quarterBytes),
      unit: 'MiB',
    },
    { name: 'memory of all processes, the most after that', value: mebibytes(result.mostBytes), unit: 'MiB' },
    { name: 'to a healthy domain, 99 of 100 within', value: result.healthyMs / 1000, unit: 's' },
  ]
}
