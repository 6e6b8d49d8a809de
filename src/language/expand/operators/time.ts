/** Intervals of time. Source: Exim manual, "Time intervals". */
import { formatInterval, parseInterval } from '../../../base/interval.ts'
import { failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'
import { textOperator } from './kinds.ts'

const manual = 'Expansion operators'

export const timeOperators: readonly OperatorRow[] = [
  textOperator({
    name: 'time_eval',
    doc: 'An interval such as 1d2h in seconds.',
    since: '0.1',
    manual,
    convert(text) {
      const seconds = parseInterval(text)
      return seconds === undefined
        ? failure(`string "${text}" is not an Exim time interval in "time_eval" operator`)
        : String(seconds)
    },
  }),
  textOperator({
    name: 'time_interval',
    doc: 'Seconds as an interval such as 1d2h.',
    since: '0.1',
    manual,
    convert(text) {
      if (text === '') return '0s'
      if (!/^\d{1,15}$/.test(text))
        return failure(`string "${text}" is not a positive number in "time_interval" operator`)
      return formatInterval(Number(text))
    },
  }),
]
