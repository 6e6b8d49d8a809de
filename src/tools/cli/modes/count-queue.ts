/** `-bpc`. */
import type { ServerCall } from '../call.ts'
import { queueOf } from '../parse.ts'

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const spool = await server.spool('read')
  terminal.out(`${spool.count(queueOf(invocation))}\n`)
  return 0
}
