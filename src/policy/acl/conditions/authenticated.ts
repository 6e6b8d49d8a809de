import { asTested } from '../list-condition.ts'
import { FALSE, type ListCondition } from '../row.ts'

export const authenticated: ListCondition = {
  kind: 'condition',
  name: 'authenticated',
  doc: 'True when the client has authenticated through one of the listed authenticators.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'string',
  phases: { except: ['notsmtp', 'notsmtp_start', 'connect', 'helo'] },
  run({ context }, list) {
    const by = context.connection?.authenticatedBy
    if (by === undefined) {
      context.trace?.note('variable', 'the client', 'has not authenticated')
      return FALSE
    }
    return asTested(context.ports.matchList('string', list, by, context))
  },
}
