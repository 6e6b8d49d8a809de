import type { ActingModifier } from '../row.ts'

export const continueModifier: ActingModifier = {
  kind: 'modifier',
  name: 'continue',
  doc: 'Expands its argument for the effects this has, and goes on.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run: () => undefined,
}
