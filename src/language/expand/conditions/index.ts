/** All conditions by name. Source: Exim manual, "Expansion conditions". */
import type { ConditionRow } from '../rows.ts'
import { acl } from './acl.ts'
import { comparisons } from './compare.ts'
import { crypteq } from './crypteq.ts'
import { def } from './def.ts'
import { jsonLoops } from './json.ts'
import { ldapauth } from './ldapauth.ts'
import { logic } from './logic.ts'
import { matching } from './match.ts'
import { pam } from './pam.ts'
import { pendingConditions } from './pending.ts'
import { saslauthd } from './saslauthd.ts'
import { simple } from './simple.ts'
import { inboundSrs } from './srs.ts'

const rows: readonly ConditionRow[] = [
  acl,
  ...comparisons,
  crypteq,
  def,
  inboundSrs,
  ...jsonLoops,
  ldapauth,
  ...logic,
  ...matching,
  pam,
  ...pendingConditions,
  saslauthd,
  ...simple,
]

export const conditions: ReadonlyMap<string, ConditionRow> = new Map(rows.map((row) => [row.name, row]))
