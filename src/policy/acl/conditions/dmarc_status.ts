/** Source: Exim manual, "DMARC"; requirements D9 to D11 and G5. */
import { after } from '../../../base/outcome.ts'
import { checkDmarc } from '../../msgauth/dmarc/check.ts'
import { asTested } from '../list-condition.ts'
import type { ListCondition } from '../row.ts'

export const dmarcWords: readonly string[] = [
  'accept',
  'reject',
  'quarantine',
  'none',
  'norecord',
  'nofrom',
  'temperror',
  'off',
]

export const dmarcStatus: ListCondition = {
  kind: 'condition',
  name: 'dmarc_status',
  doc: 'True when the result of the DMARC check is in the list.',
  since: '0.1',
  tier: 'A',
  manual: 'DMARC',
  argument: 'list',
  list: 'string',
  phases: { only: ['data'] },
  run({ context }, list) {
    return after(checkDmarc(context), ({ status }) => {
      context.debug?.('acl', `dmarc_status is ${status}`)
      return asTested(context.ports.matchList('string', list, status, context))
    })
  },
}
