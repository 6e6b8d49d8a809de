import { taint } from '../../../base/text.ts'
import { asTested, keepVariable } from '../list-condition.ts'
import { withSender } from '../place.ts'
import type { ListCondition } from '../row.ts'

export const senders: ListCondition = {
  kind: 'condition',
  name: 'senders',
  doc: 'True when the sender of the message is in the list; sets $sender_data.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'address',
  phases: withSender,
  run({ context }, list) {
    const subject = taint(context.message?.sender ?? '', '$sender_address')
    return asTested(
      context.ports.matchList('address', list, subject, context),
      keepVariable(context.variables, 'sender_data'),
    )
  },
}
