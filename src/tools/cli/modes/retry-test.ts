/** `-brt`: the retry rule for an address or host. Source: Exim manual, "-brt". */
import { retryTest } from '../../../flow/delivery/retry/test-rule.ts'
import type { ServerCall } from '../call.ts'
import { operands, valueOf } from '../parse.ts'

export async function run({ invocation, server, terminal }: ServerCall): Promise<number> {
  const given = valueOf(invocation, '-f', '-r')
  // Without -f rules with a senders list never match.
  const sender = given === undefined ? undefined : given.replace(/^<(.*)>$/, '$1')
  const { text, exitCode } = await retryTest(operands(invocation), sender, server.context())
  if (exitCode === 0) terminal.out(text)
  else terminal.err(text)
  return exitCode
}
