/** Names of lists, lookups and masks in lists that starting does not look at: in options of drivers and in conditions. */
import { checkList } from '../../../language/lists/check.ts'
import { listsOf } from './lists-of.ts'
import type { Check } from './subject.ts'

export const listNames: Check = {
  name: 'list-names',
  doc: 'Named lists that nobody defines, in the options of drivers and in match_domain and its kin.',
  run(subject, report) {
    for (const { kind, text, in: where } of listsOf(subject))
      if (kind !== 'string' && (where === 'driver' || where === 'condition'))
        checkList(kind, text, subject.configuration, report)
  },
}
