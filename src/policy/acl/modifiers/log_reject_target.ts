import { textOf } from '../../../base/text.ts'
import { placeNames } from '../place.ts'
import type { ActingModifier } from '../row.ts'

export const logRejectTarget: ActingModifier = {
  kind: 'modifier',
  name: 'log_reject_target',
  doc: 'Names the logs (main, reject, panic) that tell of a refusal in this ACL.',
  since: '0.1',
  tier: 'B',
  argument: 'text',
  phases: 'all',
  run(call, argument) {
    const names = call.context.ports.splitList(argument).map(textOf)
    for (const name of names) {
      if (name === 'main' || name === 'reject' || name === 'panic') continue
      call.context.ports.log.panic(
        undefined,
        `unknown log name "${name}" in "log_reject_target" in ${placeNames[call.place]} ACL`,
      )
      return undefined
    }
    call.logReject = {
      main: names.includes('main'),
      reject: names.includes('reject'),
      panic: names.includes('panic'),
    }
    return undefined
  },
}
