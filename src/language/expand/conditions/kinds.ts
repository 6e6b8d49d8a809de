/** The usual shape of conditions: one or two strings in braces and a test. */
import { isFailure, type Awaitable, type Failure } from '../../../base/outcome.ts'
import type { Text } from '../../../base/text.ts'
import type { Environment } from '../environment.ts'
import { inOrder } from '../evaluate.ts'
import type { ConditionRow, RowHead } from '../rows.ts'

const ordinals = ['1st', '2nd', '3rd']

export function stringCondition(
  row: RowHead & {
    readonly count: number
    test(values: readonly Text[], environment: Environment, name: string): Awaitable<boolean | Failure>
  },
): ConditionRow {
  return {
    ...row,
    read(reader, name) {
      const list = []
      for (let i = 0; i < row.count; i++) {
        const message =
          i === 0 ? `missing { after "${name}"` : `missing ${ordinals[i] ?? ''} string in {} after "${name}"`
        const one = reader.argument(message)
        if (one === undefined) return undefined
        list.push(one)
      }
      return { arguments: list }
    },
    compile(parts, compiler, name) {
      const runs = parts.arguments.map((one) => compiler.template(one))
      return (environment) => {
        const values = inOrder(runs, environment)
        if (values instanceof Promise) {
          return values.then((settled) =>
            isFailure(settled) ? settled : row.test(settled, environment, name),
          )
        }
        return isFailure(values) ? values : row.test(values, environment, name)
      }
    },
  }
}
