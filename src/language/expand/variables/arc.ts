/** What `verify = arc` found; empty before it ran. Source: RFC 8617; names as in Exim. */
import { type ArcFacts, arcOf } from '../../../mail/arc-facts.ts'
import type { VariableRow, VariableValue } from '../rows.ts'
import { outside } from './kinds.ts'

function found(name: string, doc: string, get: (facts: ArcFacts) => VariableValue): VariableRow {
  return outside(`arc_${name}`, doc, ({ context }) => {
    const facts = arcOf(context.message)
    return facts === undefined ? '' : get(facts)
  })
}

export const arcVariables: readonly VariableRow[] = [
  found('domains', 'Domains that sealed the message, the oldest first.', ({ domains }) => domains.join(':')),
  found('oldest_pass', 'The first instance since which the message is unchanged.', ({ oldestPass, state }) =>
    state === 'pass' ? oldestPass : '',
  ),
  found('state', 'Result of the ARC check: pass, fail or none.', ({ state }) => state),
  found('state_reason', 'Why the ARC check failed.', ({ reason }) => reason),
]
