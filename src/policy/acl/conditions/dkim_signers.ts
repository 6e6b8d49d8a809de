import { taint } from '../../../base/text.ts'
import { dkimOf } from '../../../mail/dkim-facts.ts'
import { asTested } from '../list-condition.ts'
import { FALSE, type ListCondition } from '../row.ts'

/** Source: Exim manual, "Verifying DKIM signatures in incoming mail". */
export const dkimSigners: ListCondition = {
  kind: 'condition',
  name: 'dkim_signers',
  doc: 'True when the signer the DKIM ACL runs for is in the list.',
  since: '0.1',
  tier: 'A',
  manual: 'DKIM',
  argument: 'list',
  list: 'string',
  phases: { only: ['dkim'] },
  run({ context }, list) {
    const run = dkimOf(context.message)?.run
    if (run === undefined) return FALSE
    return asTested(context.ports.matchList('string', list, taint(run.signer, '$dkim_cur_signer'), context))
  },
}
