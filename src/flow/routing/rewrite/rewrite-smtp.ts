/** Rules with the `S` flag: what MAIL and RCPT say, before it is read as an address. Source: Exim manual, "The SMTP-time rewriting flag". */
import { isFailure } from '../../../base/outcome.ts'
import { type ByteString, concat, textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'

/**
 * @param text all that follows `MAIL FROM:` or `RCPT TO:` up to the parameters, angle brackets included
 * @returns the text to use in its place
 */
export async function rewriteSmtp(
  text: ByteString,
  which: 'sender' | 'recipient',
  context: Context,
): Promise<ByteString> {
  const { ports, server } = context
  let now = text
  for (const [index, rule] of server.configuration.rewrite.entries()) {
    if (!rule.flags.includes('S')) continue
    // The data need not be an address, so there is no `$local_part` and no `$domain`.
    const here: Context = { ...context, address: undefined, captures: [] }
    const pattern = await ports.expand(rule.pattern, here)
    if (isFailure(pattern)) {
      if (pattern.kind !== 'forced') {
        ports.log.panic(
          context.message?.id,
          `failed to expand "${rule.pattern.text}" while checking for SMTP rewriting: ${pattern.message}`,
        )
      }
      continue
    }
    const matched = await ports.matchListText('string', concat(['<\n', pattern]), now, here, {
      caseful: true,
    })
    if (matched.is !== 'match') continue
    const value = await ports.expand(rule.replacement, here)
    if (isFailure(value)) {
      if (value.kind === 'forced') continue
      ports.log.panic(
        context.message?.id,
        `Expansion of ${rule.replacement.text} failed while rewriting: ${value.message}`,
      )
      return now
    }
    const result = textOf(value)
    if (ports.log.selects('address_rewrite')) {
      ports.log.main(
        context.message?.id,
        `"${now}" from smtp ${which} rewritten as "${result}" by rule ${index + 1}`,
      )
    }
    now = result
    if (rule.flags.includes('q')) break
  }
  return now
}
