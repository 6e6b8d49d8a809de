/** Rewriting while a message comes in. Source: Exim manual, "Address rewriting". */
import type { Rewriting } from '../flow/receive/services.ts'
import { rewriteEnvelope, rewriteHeaders, rewriteSmtp } from '../flow/routing/rewrite/index.ts'
import type { RewriteRule } from '../language/config/configuration.ts'

/** Undefined when the configuration has no rules: then nothing need be looked at. */
export function createRewriting(rules: readonly RewriteRule[]): Rewriting | undefined {
  if (rules.length === 0) return undefined
  return {
    smtp: (text, context) =>
      rewriteSmtp(text, context.message?.sender === undefined ? 'sender' : 'recipient', context),
    sender: (address, context) => rewriteEnvelope(address, 'F', context),
    recipient: (address, context) => rewriteEnvelope(address, 'T', context),
    headers: (headers, context) => rewriteHeaders(headers, context, { rules }),
  }
}
