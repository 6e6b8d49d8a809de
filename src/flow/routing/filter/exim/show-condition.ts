/** Writes conditions as `-bf -v` shows them. Observed of Exim 4.96. */
import type { ByteString } from '../../../../base/text.ts'
import { shown } from '../result.ts'
import type { Condition } from './tree.ts'

/** In the plural form after a subject, in the simple form after `does not`. */
const verbs = { begins: 'begin', contains: 'contain', ends: 'end', is: 'is', matches: 'match' } as const

export function showCondition(condition: Condition, top: boolean): ByteString {
  switch (condition.is) {
    case 'and':
      return `${showCondition(condition.left, false)} and ${showCondition(condition.right, false)}`
    case 'or': {
      const text = `${showCondition(condition.left, false)} or ${showCondition(condition.right, false)}`
      return top ? text : `(${text})`
    }
    case 'not':
      return `not (${showCondition(condition.inner, true)})`
    case 'string': {
      const { test, caseful, negated } = condition
      const word = negated ? verbs[test] : test
      const cased = caseful ? word.toUpperCase() : word
      const link = !negated ? cased : test === 'is' ? `${cased} not` : `does not ${cased}`
      return `${shown(condition.left)} ${link} ${shown(condition.right)}`
    }
    case 'number':
      return `${shown(condition.left)} ${condition.negated ? 'not ' : ''}${condition.test} ${shown(condition.right)}`
    case 'fact':
      return `${condition.negated ? 'not ' : ''}${condition.fact}`
    case 'personal':
      return `${condition.negated ? 'not ' : ''}personal`
    case 'foranyaddress':
      return `${condition.negated ? 'not ' : ''}foranyaddress ${shown(condition.list)} (${showCondition(condition.inner, false)})`
  }
}
