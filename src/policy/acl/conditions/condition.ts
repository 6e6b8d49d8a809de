import { textOf } from '../../../base/text.ts'
import { FALSE, type TextCondition, TRUE } from '../row.ts'

export const condition: TextCondition = {
  kind: 'condition',
  name: 'condition',
  doc: 'True when its argument expands to yes, true or a number other than zero.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run(_call, argument) {
    const text = textOf(argument)
    if (/^-?\d+$/.test(text)) return /[1-9]/.test(text) ? TRUE : FALSE
    const word = text.toLowerCase()
    if (word === '' || word === 'no' || word === 'false') return FALSE
    if (word === 'yes' || word === 'true') return TRUE
    return { is: 'defer', logMessage: `invalid "condition" value "${text}"` }
  },
}
