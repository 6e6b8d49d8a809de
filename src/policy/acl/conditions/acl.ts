import { after } from '../../../base/outcome.ts'
import type { AclResult } from '../../../ports.ts'
import type { Tested, WordsCondition } from '../row.ts'

export const acl: WordsCondition = {
  kind: 'condition',
  name: 'acl',
  doc: 'True when another ACL, called by name, file or text with up to nine arguments, accepts.',
  since: '0.1',
  tier: 'A',
  argument: 'words',
  phases: 'all',
  run(call, [name = '', ...values]) {
    return after(call.runNested(name, values, call.context), (result) => {
      // What the inner ACL says of the logs holds for the rest of the outer one.
      call.logReject = result.logReject ?? call.logReject
      return asCondition(result)
    })
  },
}

/** Of what was said before nothing is left, as in Exim 4.96. */
function asCondition({ verdict, userMessage, logMessage }: AclResult): Tested {
  const is = verdict === 'accept' ? 'true' : verdict === 'deny' ? 'false' : verdict
  return { is, userMessage, logMessage, replaces: true }
}
