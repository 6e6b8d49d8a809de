import { lowerCase, upperCase } from '../letters.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

export const letterCase: readonly OperatorRow[] = [
  textOperator({ name: 'lc', doc: 'Makes letters small.', since: '0.1', manual, convert: lowerCase }),
  textOperator({ name: 'uc', doc: 'Makes letters capital.', since: '0.1', manual, convert: upperCase }),
]
