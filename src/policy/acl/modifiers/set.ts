import { type Text, textOf } from '../../../base/text.ts'
import { dkimOf } from '../../../mail/dkim-facts.ts'
import { type AclCall, type ActingModifier, errorOf, type Modified } from '../row.ts'
import { setAclVariable } from '../variables.ts'

export const set: ActingModifier = {
  kind: 'modifier',
  name: 'set',
  doc: 'Gives a variable of the connection (acl_c...) or of the message (acl_m...) a value.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run(call, value, variable) {
    if (variable === 'dkim_verify_status' || variable === 'dkim_verify_reason') {
      return setDkimVariable(call, variable, value)
    }
    setAclVariable(call.context, variable, value)
    return undefined
  },
}

/** Overrides what was found of the signature at hand. Source: Exim manual, "Verifying DKIM signatures in incoming mail". */
function setDkimVariable(
  { place, context }: AclCall,
  variable: 'dkim_verify_status' | 'dkim_verify_reason',
  value: Text,
): Modified {
  const facts = dkimOf(context.message)
  if (place !== 'dkim' || facts?.run === undefined)
    return errorOf(`cannot set ${variable} outside of the DKIM ACL`)
  const { run } = facts
  const text = textOf(value)
  const field = variable === 'dkim_verify_status' ? 'status' : 'reason'
  run[field] = text
  if (run.signature !== undefined) run.signature[field] = text
  return undefined
}
