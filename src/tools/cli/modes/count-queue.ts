/** `-bpc`. */
import type { ServerCall } from '../call.ts'

export async function run({ server, terminal }: ServerCall): Promise<number> {
  const spool = await server.spool('read')
  terminal.out(`${spool.count()}\n`)
  return 0
}
