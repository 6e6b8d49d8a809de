/** The usual shape of operators: a text in, a text out, the taint kept. */
import { isFailure, type Failure, type Outcome } from '../../../base/outcome.ts'
import { retaint, textOf, type ByteString } from '../../../base/text.ts'
import { failure, type Environment } from '../environment.ts'
import type { OperatorRow, RowHead } from '../rows.ts'

export function textOperator(
  row: RowHead & {
    readonly suffix?: 'numbers' | 'word'
    readonly ofCertificates?: 'as is' | 'in capitals'
    convert(text: ByteString, environment: Environment, suffix: string): ByteString | Failure
  },
): OperatorRow {
  return {
    ...row,
    apply(text, environment, suffix): Outcome {
      if (typeof text === 'string') return row.convert(text, environment, suffix)
      const result = row.convert(textOf(text), environment, suffix)
      return isFailure(result) ? result : retaint(result, text)
    },
  }
}

/** The one or two numbers after the name: `_1_3`. */
export function suffixNumbers(
  name: string,
  suffix: string,
): { readonly first: number; readonly second: number | undefined } | Failure {
  const match = /^_?(-?\d*)(?:_(-?\d+))?$/.exec(suffix)
  if (match === null) return failure(`non-digit after underscore in "${name}${suffix}"`)
  return {
    first: clamped(match[1] ?? '0'),
    second: match[2] === undefined ? undefined : clamped(match[2]),
  }
}

/** No text is longer than such a number. Differs from Exim, where greater ones wrap around. */
function clamped(digits: string): number {
  return Math.max(-0x7fffffff, Math.min(0x7fffffff, Number(digits)))
}
