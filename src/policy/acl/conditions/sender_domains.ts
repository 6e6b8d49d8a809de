import { taint } from '../../../base/text.ts'
import { asTested } from '../list-condition.ts'
import { withSender } from '../place.ts'
import type { ListCondition } from '../row.ts'

export const senderDomains: ListCondition = {
  kind: 'condition',
  name: 'sender_domains',
  doc: 'True when the domain of the sender is in the list.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'domain',
  phases: withSender,
  run({ context }, list) {
    const sender = context.message?.sender ?? ''
    const at = sender.lastIndexOf('@')
    const subject = taint(at < 0 ? '' : sender.slice(at + 1), '$sender_address_domain')
    return asTested(context.ports.matchList('domain', list, subject, context))
  },
}
