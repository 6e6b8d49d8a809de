import { isFailure, Failure, type Outcome } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { deepestNesting, failure, refuseExpansion } from '../environment.ts'
import type { OperatorRow } from '../rows.ts'

export const expand: OperatorRow = {
  name: 'expand',
  doc: 'Expands a string a second time; text from outside is refused.',
  since: '0.1',
  manual: 'Expansion operators',
  apply(text, environment) {
    const refused = refuseExpansion(text)
    if (refused !== undefined) return refused
    const plain = textOf(text)
    if (environment.depth >= deepestNesting) return failure('expansions nested too deeply')
    const conclude = (value: Outcome): Outcome =>
      isFailure(value)
        ? new Failure(value.kind, `internal expansion of "${plain}" failed: ${value.message}`)
        : value
    const value = environment.engine.expandWithin(plain, environment)
    return value instanceof Promise ? value.then(conclude) : conclude(value)
  },
}
