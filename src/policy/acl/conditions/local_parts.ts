import { taint } from '../../../base/text.ts'
import { asTested } from '../list-condition.ts'
import { FALSE, type ListCondition } from '../row.ts'

export const localParts: ListCondition = {
  kind: 'condition',
  name: 'local_parts',
  doc: 'True when the local part of the recipient is in the list; sets $local_part_data.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'localpart',
  phases: { only: ['rcpt', 'vrfy', 'prdr'] },
  run({ context }, list) {
    const { address } = context
    if (address === undefined) return FALSE
    const subject = taint(address.casedLocalPart ?? address.localPart, '$local_part')
    return asTested(context.ports.matchList('localpart', list, subject, context), (data) => {
      if (data === undefined) delete address.localPartData
      else address.localPartData = data
    })
  },
}
