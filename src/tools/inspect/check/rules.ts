/** Retry and rewrite rules that are never reached, or do something else than they seem to. */
import type { Report } from '../../../base/diagnostic.ts'
import type { RetryRule, RewriteRule } from '../../../language/config/configuration.ts'
import type { Check } from './subject.ts'

export const rules: Check = {
  name: 'rules',
  doc: 'Retry rules that are never reached or whose times are swapped, rewritten addresses without a domain.',
  run({ configuration }, report) {
    unreached(configuration.retry, report)
    for (const rule of configuration.retry) swapped(rule, report)
    for (const rule of configuration.rewrite) unqualified(rule, report)
  },
}

function unreached(retry: readonly RetryRule[], report: Report): void {
  const last = retry.findIndex(
    ({ pattern, error, senders }) =>
      pattern.text.trim() === '*' && error.name === '*' && senders === undefined,
  )
  const [ending, next] = [retry[last], retry[last + 1]]
  if (last < 0 || ending === undefined || next === undefined) return
  report({
    code: 'retry-unreached',
    severity: 'warning',
    message: 'this retry rule is never used: the first one that matches counts, and "* *" matches everything',
    at: next.at,
    help: 'move "* *" to the end',
    also: [{ at: ending.at, says: 'it matches everything' }],
  })
}

/** First comes for how long, then how often. */
function swapped({ at, intervals }: RetryRule, report: Report): void {
  const wrong = intervals.find(({ cutoff, interval }) => interval > cutoff)
  if (wrong === undefined) return
  report({
    code: 'retry-swapped',
    severity: 'warning',
    message: 'a message would wait longer between two attempts than there are attempts',
    at,
    help: 'first comes the time up to which the interval holds, then the interval: F,2h,15m',
  })
}

function unqualified({ flags, replacement }: RewriteRule, report: Report): void {
  // What a client sends in SMTP is rewritten before it is an address.
  if (flags.includes('S')) return
  const text = replacement.text.trim()
  if (/[@$\\]/.test(text) || text === '*' || text === '') return
  report({
    code: 'rewrite-unqualified',
    severity: 'warning',
    message: `"${text}" is no address with a domain: nothing is rewritten to it`,
    at: replacement.span(),
    help: `write "${text.includes('.') ? `$1@${text}` : `${text}@DOMAIN`}"`,
  })
}
