/** How much of the client library's own pipelined rate is left when 50 sessions look something up in Redis. */
import { Redis } from 'ioredis'
import { Expandable } from '../src/base/expandable.ts'
import { isFailure } from '../src/base/outcome.ts'
import { fetchRedis, startRedis } from '../test/support/databases.ts'
import { expansionBench } from '../test/support/expansion-context.ts'
import type { Figure } from './run.ts'

const sessions = 50
const measureMs = 1_500

export async function run(): Promise<Figure[]> {
  const program = fetchRedis()
  if ('missing' in program) {
    console.log(`  skipped: ${program.missing}`)
    return []
  }
  const server = await startRedis(program)
  const client = new Redis({ host: '127.0.0.1', port: server.port, protocol: 2 })
  const bench = expansionBench({
    settings: { redis_servers: [`127.0.0.1:${server.port}//`] },
    context: { address: { localPart: 'postmaster', domain: 'example.org' } },
  })
  try {
    await client.hset('example.org', 'domain', 'example.org')
    const text = new Expandable('${lookup redis{HGET $domain domain}}')
    const library = (): Promise<unknown> => client.callBuffer('HGET', ['example.org', 'domain'])
    const lookup = async (): Promise<void> => {
      // A message of its own each time: within one the answer is kept.
      const context = { ...bench.context, variables: new Map() }
      const result = await bench.expander.expand(text, context)
      if (isFailure(result)) throw new Error(result.message)
    }
    for (const once of [library, lookup]) await rate(once, 300)
    const own = await rate(library, measureMs)
    const ours = await rate(lookup, measureMs)
    return [
      { name: `ioredis alone, ${sessions} callers`, value: own, unit: '/s' },
      { name: `\${lookup redis{HGET ...}}, ${sessions} sessions`, value: ours, unit: '/s' },
      { name: 'of the rate of the library alone', value: (ours / own) * 100, unit: '%' },
    ]
  } finally {
    client.disconnect()
    bench.close()
    await server.stop()
  }
}

/** Every session asks again as soon as it has its answer. */
async function rate(once: () => Promise<unknown>, forMs: number): Promise<number> {
  const start = performance.now()
  let count = 0
  const session = async (): Promise<void> => {
    while (performance.now() - start < forMs) {
      await once()
      count++
    }
  }
  await Promise.all(Array.from({ length: sessions }, session))
  return (count / (performance.now() - start)) * 1_000
}
