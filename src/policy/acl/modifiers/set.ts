import type { ActingModifier } from '../row.ts'
import { setAclVariable } from '../variables.ts'

export const set: ActingModifier = {
  kind: 'modifier',
  name: 'set',
  doc: 'Gives a variable of the connection (acl_c...) or of the message (acl_m...) a value.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run({ context }, value, variable) {
    setAclVariable(context, variable, value)
    return undefined
  },
}
