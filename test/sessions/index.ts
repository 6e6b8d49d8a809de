/** All tables of dialogues. */
import type { Table } from './dialogue.ts'
import { authentication, encryption } from './authentication.ts'
import { chunks, international, prdr } from './chunks.ts'
import { controls } from './controls.ts'
import { foundByChance, foundUnselected } from './found.ts'
import { errorDetails, noLogSpace, notStripping, percentHack, quotes, stripping } from './given-options.ts'
import { hooksTable, notquit } from './hooks.ts'
import { earlySynchronisation, limits, limitsForGood, synchronisation } from './limits.ts'
import { mail } from './mail.ts'
import { endings, malformed } from './malformed.ts'
import { messageChecks } from './message-checks.ts'
import { ratePlaces, rates, ratesMisplaced } from './rates.ts'
import { noRcptAcl, refused, refusedEarly, turnedAway } from './refused.ts'

export const tables: readonly Table[] = [
  mail,
  refused,
  refusedEarly,
  turnedAway,
  noRcptAcl,
  malformed,
  endings,
  limits,
  limitsForGood,
  synchronisation,
  earlySynchronisation,
  hooksTable,
  notquit,
  controls,
  chunks,
  prdr,
  international,
  authentication,
  encryption,
  messageChecks,
  rates,
  ratePlaces,
  ratesMisplaced,
  stripping,
  notStripping,
  percentHack,
  errorDetails,
  quotes,
  noLogSpace,
  foundByChance,
  foundUnselected,
]
