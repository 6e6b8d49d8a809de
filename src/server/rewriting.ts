/** Rewriting while a message comes in. Source: Exim manual, "Address rewriting". */
import type { Rewriting } from '../flow/receive/services.ts'
import { rewriteEnvelope, rewriteHeaders, rewriteSmtp } from '../flow/routing/rewrite/index.ts'
import type { Expandable } from '../base/expandable.ts'
import type { RewriteRule } from '../language/config/configuration.ts'
import { rewriteRulesOf } from '../language/config/rewrite.ts'

/** Undefined when the configuration has no rules: then nothing need be looked at. */
export function createRewriting(rules: readonly RewriteRule[]): Rewriting | undefined {
  if (rules.length === 0) return undefined
  return {
    smtp: (text, context) =>
      rewriteSmtp(text, context.message?.sender === undefined ? 'sender' : 'recipient', context),
    sender: (address, context) => rewriteEnvelope(address, 'F', context),
    recipient: (address, context) => rewriteEnvelope(address, 'T', context),
    headers: (headers, context) =>
      rewriteHeaders(headers, context, {
        rules,
        qualify: context.message?.allowUnqualified ?? false,
      }),
  }
}

/** The rules of a transport's `headers_rewrite`, read once; mistakes were told when the configuration was read. */
export function transportRules(): (option: Expandable) => readonly RewriteRule[] {
  const known = new WeakMap<Expandable, readonly RewriteRule[]>()
  return (option) => {
    const before = known.get(option)
    if (before !== undefined) return before
    const rules = rewriteRulesOf(option, () => {})
    known.set(option, rules)
    return rules
  }
}
