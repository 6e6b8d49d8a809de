/** `-brw`: how an address is rewritten in each place. Source: Exim manual, "-brw". */
import { testRewrite } from '../../../flow/routing/rewrite/index.ts'
import type { ServerCall } from '../call.ts'
import { operands } from '../parse.ts'

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const [given] = operands(invocation)
  if (given === undefined) {
    terminal.err('-brw needs an address argument\n')
    return 1
  }
  for (const line of await testRewrite(given, server.context())) terminal.out(`${line}\n`)
  return 0
}
