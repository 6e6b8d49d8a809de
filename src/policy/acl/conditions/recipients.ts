import { taint } from '../../../base/text.ts'
import { asTested, keepVariable } from '../list-condition.ts'
import { FALSE, type ListCondition } from '../row.ts'

export const recipients: ListCondition = {
  kind: 'condition',
  name: 'recipients',
  doc: 'True when the address of the recipient is in the list; sets $recipient_data.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'address',
  phases: { only: ['rcpt'] },
  run({ context }, list) {
    const { address } = context
    if (address === undefined) return FALSE
    const localPart = address.casedLocalPart ?? address.localPart
    const whole = address.whole ?? `${localPart}@${address.domain}`
    const subject = taint(whole, 'the address of RCPT')
    return asTested(
      context.ports.matchList('address', list, subject, context),
      keepVariable(context.variables, 'recipient_data'),
    )
  },
}
