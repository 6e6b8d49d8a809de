/**
 * Puts a domain in the place of what was short for it in the headers of a message, for good.
 * Source: Exim manual, router options "rewrite_headers" (dnslookup) and "self".
 */
import type { DomainChange } from '../routed.ts'
import type { Attempt } from './attempt.ts'

export async function changeDomains(attempt: Attempt, changes: readonly DomainChange[]): Promise<void> {
  const { deps, context, claim } = attempt
  if (deps.changeDomains === undefined || context.message === undefined) return
  const before = attempt.envelope.headers
  const headers = await deps.changeDomains(before, changes, context)
  if (headers === before) return
  context.message.headers = headers
  await claim.record({ headers })
}
