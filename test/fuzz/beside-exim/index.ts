/** All targets of comparison, sorted by name. */
import { configurations } from './configurations.ts'
import { expansions } from './expansions.ts'
import { eximFilters, sieveScripts } from './filters.ts'
import { headers } from './headers.ts'
import { lists } from './lists.ts'
import { retryRules } from './retry-rules.ts'
import { rewriteRules } from './rewrite-rules.ts'
import { smtpConnections } from './smtp-connections.ts'
import { smtpDialogues } from './smtp-dialogues.ts'
import type { BesideTarget } from './target.ts'

export const besideTargets: readonly BesideTarget[] = [
  configurations,
  eximFilters,
  expansions,
  headers,
  lists,
  retryRules,
  rewriteRules,
  sieveScripts,
  smtpConnections,
  smtpDialogues,
]
