/** Conditions that are known and do not work yet: their use stops the start, since they guard something. */
import type { Phases } from '../place.ts'
import type { MissingCondition } from '../row.ts'

function missing(name: string, tier: 'A' | 'B' | 'C', phases: Phases, doc: string): MissingCondition {
  return { kind: 'condition', name, doc, tier, phases, argument: 'missing' }
}

export const missingConditions: readonly MissingCondition[] = [
  missing('atrn_domains', 'C', { only: ['atrn'] }, 'True when the domains of an ATRN command are allowed.'),
  missing(
    'dcc',
    'C',
    { only: ['data', 'prdr', 'notsmtp'] },
    'True when the DCC service knows the message as bulk.',
  ),
]
