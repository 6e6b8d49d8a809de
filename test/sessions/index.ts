/** All tables of dialogues. */
import type { Table } from './dialogue.ts'
import { limits, limitsForGood, synchronisation } from './limits.ts'
import { mail } from './mail.ts'
import { malformed } from './malformed.ts'
import { noRcptAcl, refused, refusedEarly, turnedAway } from './refused.ts'

export const tables: readonly Table[] = [
  mail,
  refused,
  refusedEarly,
  turnedAway,
  noRcptAcl,
  malformed,
  limits,
  limitsForGood,
  synchronisation,
]
