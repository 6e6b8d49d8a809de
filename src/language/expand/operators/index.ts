/** All operators by name. Source: Exim manual, "Expansion operators". */
import type { OperatorRow } from '../rows.ts'
import { addressOperators } from './address.ts'
import { letterCase } from './case.ts'
import { cutting } from './cut.ts'
import { encoding } from './encode.ts'
import { arithmetic } from './eval.ts'
import { expand } from './expand.ts'
import { headerwrap } from './headerwrap.ts'
import { ipOperators } from './ip.ts'
import { lookupQuoting } from './lookup-quote.ts'
import { listnamed } from './listnamed.ts'
import { quoting } from './quote.ts'
import { rfc2047Operators } from './rfc2047.ts'
import { stat } from './stat.ts'
import { timeOperators } from './time.ts'
import { unicodeOperators } from './unicode.ts'

const rows: readonly OperatorRow[] = [
  ...addressOperators,
  ...arithmetic,
  ...cutting,
  ...encoding,
  expand,
  headerwrap,
  ...ipOperators,
  ...letterCase,
  listnamed,
  ...lookupQuoting,
  ...quoting,
  ...rfc2047Operators,
  stat,
  ...timeOperators,
  ...unicodeOperators,
]

export const operators: ReadonlyMap<string, OperatorRow> = new Map(rows.map((row) => [row.name, row]))

/** Those that cannot do without numbers. The long names, without any, are items. */
const counted: ReadonlySet<OperatorRow> = new Set(cutting.filter(({ suffix }) => suffix === 'numbers'))

/** Finds the row for what stands before the colon; what follows an underscore may be its suffix. */
export function findOperator(
  written: string,
): { readonly row: OperatorRow; readonly suffix: string } | { readonly problem: string } | undefined {
  const whole = operators.get(written)
  if (whole !== undefined)
    return counted.has(whole) ? { problem: `missing values after ${written}` } : { row: whole, suffix: '' }
  const underscore = written.indexOf('_')
  if (underscore < 0) return undefined
  const name = written.slice(0, underscore)
  const row = operators.get(name)
  if (row === undefined) {
    return undefined
  }
  const suffix = written.slice(underscore)
  if (name === 'quote') return { problem: `unknown lookup type "${/^_([^_]*)/.exec(suffix)?.[1] ?? ''}"` }
  // Only an offset may be negative: it counts from the end.
  const sign = name === 'substr' || name === 's' ? '-?' : ''
  const second = name === 'length' || name === 'l' ? '' : '(?:_\\d+)?'
  if (row.suffix === 'numbers' && !new RegExp(`^_${sign}(?:\\d+${second})?$`).test(suffix)) {
    return { problem: `non-digit after underscore in "${written}"` }
  }
  return { row, suffix }
}
