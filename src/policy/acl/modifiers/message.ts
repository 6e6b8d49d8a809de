/** Modifiers that the walk over a statement handles: they shape its outcome. */
import type { StatementModifier } from '../row.ts'

export const endpass: StatementModifier = {
  kind: 'modifier',
  name: 'endpass',
  doc: 'From here on a condition that fails ends the ACL with refusal.',
  since: '0.1',
  tier: 'A',
  argument: 'none',
  phases: 'all',
}

export const logMessage: StatementModifier = {
  kind: 'modifier',
  name: 'log_message',
  doc: 'Text for the log when the statement refuses, discards or warns.',
  since: '0.1',
  tier: 'A',
  argument: 'later',
  phases: 'all',
}

export const message: StatementModifier = {
  kind: 'modifier',
  name: 'message',
  doc: 'Text for the client when the statement ends the ACL.',
  since: '0.1',
  tier: 'A',
  argument: 'later',
  phases: 'all',
}
