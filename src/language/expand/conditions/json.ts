/** `forany` and its kin over JSON arrays. */
import { jsonArray } from '../json.ts'
import type { ConditionRow } from '../rows.ts'
import { loopRow } from './logic.ts'

export const jsonLoops: readonly ConditionRow[] = [
  loopRow('forall_json', 'True when the condition holds for each element of the JSON array.', false, (list) =>
    jsonArray(list, false),
  ),
  loopRow('forall_jsons', 'As forall_json; the elements are strings and lose their quotes.', false, (list) =>
    jsonArray(list, true),
  ),
  loopRow('forany_json', 'True when the condition holds for an element of the JSON array.', true, (list) =>
    jsonArray(list, false),
  ),
  loopRow('forany_jsons', 'As forany_json; the elements are strings and lose their quotes.', true, (list) =>
    jsonArray(list, true),
  ),
]
