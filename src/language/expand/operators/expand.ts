import { isFailure, Failure, type Outcome } from '../../../base/outcome.ts'
import { isTainted, textOf } from '../../../base/text.ts'
import { deepestNesting, failure } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'

export const expand: OperatorRow = {
  name: 'expand',
  doc: 'Expands a string a second time; text from outside is refused.',
  since: '0.1',
  manual: 'Expansion operators',
  apply(text, environment) {
    if (isTainted(text)) {
      const origin = text.spans[0]?.origin ?? 'outside data'
      return failure(`attempt to expand tainted string '${textOf(text)}' (${origin} came from outside)`)
    }
    if (environment.depth >= deepestNesting) return failure('expansions nested too deeply')
    const conclude = (value: Outcome): Outcome =>
      isFailure(value)
        ? new Failure(value.kind, `internal expansion of "${text}" failed: ${value.message}`)
        : value
    const value = environment.engine.expandWithin(text, environment)
    return value instanceof Promise ? value.then(conclude) : conclude(value)
  },
}
