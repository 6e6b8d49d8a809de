/** All conditions by name. Source: Exim manual, "Expansion conditions". */
import type { ConditionRow } from '../rows.ts'
import { comparisons } from './compare.ts'
import { def } from './def.ts'
import { logic } from './logic.ts'
import { matching } from './match.ts'
import { simple } from './simple.ts'

export const conditions: ReadonlyMap<string, ConditionRow> = new Map(
  [...comparisons, def, ...logic, ...matching, ...simple].map((row) => [row.name, row]),
)
