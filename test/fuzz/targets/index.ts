/** All fuzz targets, sorted by name. */
import type { FuzzTarget } from '../target.ts'
import { expansions } from './expansions.ts'
import { lists } from './lists.ts'
import { regularExpressions } from './regular-expressions.ts'

export const targets: readonly FuzzTarget[] = [expansions, lists, regularExpressions]
