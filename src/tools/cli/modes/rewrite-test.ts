/** `-brw`: how an address is rewritten in each place. Source: Exim manual, "-brw". */
import { rewriteAddress, type RewritePlace } from '../../../flow/routing/rewrite/rewrite-address.ts'
import type { ServerCall } from '../call.ts'
import { operands } from '../parse.ts'

const places: readonly (readonly [string, RewritePlace])[] = [
  ['  sender', 's'],
  ['    from', 'f'],
  ['      to', 't'],
  ['      cc', 'c'],
  ['     bcc', 'b'],
  ['reply-to', 'r'],
  ['env-from', 'F'],
  ['  env-to', 'T'],
]

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const [given] = operands(invocation)
  if (given === undefined) {
    terminal.err('-brw needs an address argument\n')
    return 1
  }
  const { rewrite } = server.configuration
  for (const [label, place] of places) {
    const address = place === 'T' ? server.qualifyRecipient(given) : server.qualifySender(given)
    const result = await rewriteAddress(address, place, rewrite, server.context())
    terminal.out(`${label}: ${result.whole ?? result.address}\n`)
  }
  return 0
}
