import { isFailure } from '../../../base/outcome.ts'
import type { Environment } from '../environment.ts'
import { compileBranches, finallyDo } from '../evaluate.ts'
import type { ItemRow } from '../rows.ts'

/** Captures that a condition set live until the end of its `${if`. */
export const ifItem: ItemRow = {
  name: 'if',
  doc: 'Evaluates the first string when the condition holds, else the second.',
  since: '0.1',
  manual: 'Expansion items',
  read(reader, start) {
    const condition = reader.grammar.condition(reader)
    if (condition === undefined) return undefined
    const branches = reader.branches('if', start)
    return branches && { arguments: [], condition, branches }
  },
  compile(parts, compiler) {
    const { condition } = parts
    if (condition === undefined) return () => ''
    const test = compiler.condition(condition)
    const branch = compileBranches('if', parts.branches, compiler, 'true')
    const decide = (environment: Environment, found: boolean) =>
      branch(environment, { found, value: environment.value })
    return (environment) => {
      const { captures, value } = environment
      const restore = () => {
        environment.captures = captures
        environment.value = value
      }
      const found = test(environment)
      if (found instanceof Promise) {
        return finallyDo(
          found.then((settled) => (isFailure(settled) ? settled : decide(environment, settled))),
          restore,
        )
      }
      if (isFailure(found)) {
        restore()
        return found
      }
      return finallyDo(decide(environment, found), restore)
    }
  },
}
