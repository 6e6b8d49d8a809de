/** Conditions that are known and do not work yet: their use stops the start, since they guard something. */
import type { Phases } from '../place.ts'
import type { MissingCondition } from '../row.ts'

const whenReceived: Phases = { only: ['data', 'prdr', 'notsmtp'] }

function missing(name: string, tier: 'A' | 'B' | 'C', phases: Phases, doc: string): MissingCondition {
  return { kind: 'condition', name, doc, tier, phases, argument: 'missing' }
}

export const missingConditions: readonly MissingCondition[] = [
  missing('atrn_domains', 'C', { only: ['atrn'] }, 'True when the domains of an ATRN command are allowed.'),
  missing('dcc', 'C', whenReceived, 'True when the DCC service knows the message as bulk.'),
  missing(
    'decode',
    'B',
    { only: ['mime'] },
    'Decodes the MIME part at hand into a file; true when that worked.',
  ),
  missing('malware', 'B', whenReceived, 'True when a virus scanner finds something in the message.'),
  missing('mime_regex', 'B', { only: ['mime'] }, 'True when the MIME part matches a regular expression.'),
  missing(
    'regex',
    'B',
    { only: ['data', 'prdr', 'notsmtp', 'mime'] },
    'True when the message matches a regular expression.',
  ),
  missing('spam', 'B', whenReceived, 'True when the spam scanner calls the message spam.'),
]
