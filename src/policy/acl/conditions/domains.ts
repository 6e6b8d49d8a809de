import { taint } from '../../../base/text.ts'
import { asTested } from '../list-condition.ts'
import { FALSE, type ListCondition } from '../row.ts'

export const domains: ListCondition = {
  kind: 'condition',
  name: 'domains',
  doc: 'True when the domain of the recipient is in the list; sets $domain_data.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'domain',
  phases: { only: ['rcpt', 'vrfy', 'prdr'] },
  run({ context }, list) {
    const { address } = context
    if (address === undefined) return FALSE
    const subject = taint(address.domain, '$domain')
    return asTested(context.ports.matchList('domain', list, subject, context), (data) => {
      if (data === undefined) delete address.domainData
      else address.domainData = data
    })
  },
}
