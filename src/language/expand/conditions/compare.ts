/** Comparing numbers and strings. */
import { isFailure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { lowerCase } from '../letters.ts'
import { readInteger } from '../numbers.ts'
import type { ConditionRow } from '../rows.ts'
import { stringCondition } from './kinds.ts'

const manual = 'Expansion conditions'

/** -1, 0 or 1 for two strings of bytes. */
export function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Which outcomes of a comparison count as true; shared with `${sort`. */
export const numericOrders: Readonly<Record<string, (order: number) => boolean>> = {
  '=': (o) => o === 0,
  '==': (o) => o === 0,
  '<': (o) => o < 0,
  '<=': (o) => o <= 0,
  '>': (o) => o > 0,
  '>=': (o) => o >= 0,
}
export const stringOrders: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (o) => o === 0,
  lt: (o) => o < 0,
  le: (o) => o <= 0,
  gt: (o) => o > 0,
  ge: (o) => o >= 0,
}
const words: Readonly<Record<string, string>> = {
  '=': 'equal',
  '==': 'equal',
  '<': 'less',
  '<=': 'less or equal',
  '>': 'greater',
  '>=': 'greater or equal',
  eq: 'equal',
  lt: 'less',
  le: 'less or equal',
  gt: 'greater',
  ge: 'greater or equal',
}

const numeric = Object.entries(numericOrders).map(([name, holds]) =>
  stringCondition({
    name,
    doc: `True when the first number is ${words[name] ?? ''} compared with the second.`,
    since: '0.1',
    manual,
    count: 2,
    test([a, b]) {
      const first = readInteger(textOf(a ?? ''))
      if (isFailure(first)) return first
      const second = readInteger(textOf(b ?? ''))
      if (isFailure(second)) return second
      return holds(first < second ? -1 : first > second ? 1 : 0)
    },
  }),
)

const strings = Object.entries(stringOrders).flatMap(([name, holds]) => [
  stringCondition({
    name,
    doc: `True when the first string is ${words[name] ?? ''} compared with the second.`,
    since: '0.1',
    manual,
    count: 2,
    test: ([a, b]) => holds(order(textOf(a ?? ''), textOf(b ?? ''))),
  }),
  stringCondition({
    name: `${name}i`,
    doc: `True when the first string is ${words[name] ?? ''} compared with the second, letter case ignored.`,
    since: '0.1',
    manual,
    count: 2,
    test: ([a, b]) => holds(order(lowerCase(textOf(a ?? '')), lowerCase(textOf(b ?? '')))),
  }),
])

export const comparisons: readonly ConditionRow[] = [...numeric, ...strings]
