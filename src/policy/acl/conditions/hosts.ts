import { asTested, keepVariable } from '../list-condition.ts'
import type { ListCondition } from '../row.ts'

export const hosts: ListCondition = {
  kind: 'condition',
  name: 'hosts',
  doc: 'True when the calling host is in the list; sets $host_data.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'host',
  phases: { except: ['notsmtp', 'notsmtp_start'] },
  run({ context }, list) {
    const subject = { address: context.connection?.hostAddress }
    return asTested(
      context.ports.matchList('host', list, subject, context),
      keepVariable(context.variables, 'host_data'),
    )
  },
}
