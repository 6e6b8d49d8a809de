/** The usual shapes of items: some arguments and a result, or some arguments and `{yes}{no}`. */
import { isFailure, type Awaitable, type Failure, type Outcome } from '../../../base/outcome.ts'
import type { Text } from '../../../base/text.ts'
import type { Environment } from '../environment.ts'
import { compileBranches, inOrder, type Choice } from '../evaluate.ts'
import type { ItemRow, RowHead } from '../rows.ts'

/** `${name{a}{b}...}`. */
export function plainItem(
  row: RowHead & {
    readonly least: number
    readonly most: number
    apply(values: readonly Text[], environment: Environment): Awaitable<Outcome>
  },
): ItemRow {
  return {
    ...row,
    read(reader, start) {
      const list = reader.argumentsOf(row.name, row.least, row.most, start)
      return list && { arguments: list }
    },
    compile(parts, compiler) {
      const runs = parts.arguments.map((one) => compiler.template(one))
      return (environment) => {
        const values = inOrder(runs, environment)
        if (values instanceof Promise) {
          return values.then((settled) => (isFailure(settled) ? settled : row.apply(settled, environment)))
        }
        return isFailure(values) ? values : row.apply(values, environment)
      }
    },
  }
}

/** `${name{a}{b}{yes}{no}}`: `count` arguments before the branches. */
export function choosingItem(
  row: RowHead & {
    readonly count: number
    choose(values: readonly Text[], environment: Environment): Awaitable<Choice | Failure>
  },
): ItemRow {
  return {
    ...row,
    read(reader, start) {
      const list = []
      for (let i = 0; i < row.count; i++) {
        const one = reader.argument(`missing '{' for arg ${i + 1} of ${row.name}`)
        if (one === undefined) return undefined
        list.push(one)
      }
      const branches = reader.branches(row.name, start)
      return branches && { arguments: list, branches }
    },
    compile(parts, compiler) {
      const runs = parts.arguments.map((one) => compiler.template(one))
      const branch = compileBranches(row.name, parts.branches, compiler)
      const choose = (values: readonly Text[] | Failure, environment: Environment): Awaitable<Outcome> => {
        if (isFailure(values)) return values
        const choice = row.choose(values, environment)
        if (choice instanceof Promise) {
          return choice.then((settled) => (isFailure(settled) ? settled : branch(environment, settled)))
        }
        return isFailure(choice) ? choice : branch(environment, choice)
      }
      return (environment) => {
        const values = inOrder(runs, environment)
        return values instanceof Promise
          ? values.then((settled) => choose(settled, environment))
          : choose(values, environment)
      }
    },
  }
}
