import type { Expandable } from '../../../base/expandable.ts'
import type { ByteString } from '../../../base/text.ts'
import { type DkimFacts, dkimOf } from '../../../mail/dkim-facts.ts'
import type { Context } from '../../../ports.ts'
import { asTested } from '../list-condition.ts'
import { FALSE, type ListCondition, type Tested } from '../row.ts'

/**
 * In the DKIM ACL the result for the signer at hand; later true when any run of that ACL ended with a result of the list,
 * or without such an ACL any signature. Source: Exim manual, "Verifying DKIM signatures in incoming mail".
 */
export const dkimStatus: ListCondition = {
  kind: 'condition',
  name: 'dkim_status',
  doc: 'True when the result of checking a DKIM signature is in the list.',
  since: '0.1',
  tier: 'A',
  manual: 'DKIM',
  argument: 'list',
  list: 'string',
  phases: { only: ['dkim', 'data', 'mime', 'prdr'] },
  async run({ context }, list) {
    let tested: Tested = FALSE
    for (const status of statusesOf(dkimOf(context.message))) {
      tested = await matches(status, list, context)
      if (tested.is !== 'false') return tested
    }
    return tested
  },
}

function statusesOf(facts: DkimFacts | undefined): readonly ByteString[] {
  if (facts === undefined) return ['none']
  if (facts.running) return [facts.run?.status ?? 'none']
  const all = facts.statuses.length > 0 ? facts.statuses : facts.signatures.map(({ status }) => status)
  return all.length > 0 ? [...new Set(all)] : ['none']
}

function matches(status: ByteString, list: Expandable, context: Context): Promise<Tested> | Tested {
  return asTested(context.ports.matchList('string', list, status, context))
}
