/** All targets of comparison, sorted by name. */
import { expansions } from './expansions.ts'
import { lists } from './lists.ts'
import type { BesideTarget } from './target.ts'

export const besideTargets: readonly BesideTarget[] = [expansions, lists]
