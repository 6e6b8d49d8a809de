import { Failure, isFailure, type Awaitable } from '../../../base/outcome.ts'
import { textOf, type Text } from '../../../base/text.ts'
import type { AclResult } from '../../../ports.ts'
import { failure, type Environment } from '../environment.ts'
import { inOrder } from '../evaluate.ts'
import { callAcl } from '../items/acl.ts'
import type { ConditionRow } from '../rows.ts'
import type { Template } from '../tree.ts'

/** `acl {{name}{argument}...}`. */
export const acl: ConditionRow = {
  name: 'acl',
  doc: 'True when the ACL accepts; $value is the message it sets.',
  since: '0.1',
  manual: 'Expansion conditions',
  read(reader) {
    reader.skipSpace()
    const open = reader.position
    if (reader.peek() !== '{') return reader.syntax('missing { after "acl"')
    reader.position++
    const list: Template[] = []
    for (;;) {
      reader.skipSpace()
      if (reader.peek() !== '{' || list.length === 10) break
      const one = reader.braced(reader.position)
      if (one === undefined) return undefined
      list.push(one)
    }
    if (reader.peek() !== '}' || list.length === 0) {
      return reader.fail({
        code: 'expansion-arguments',
        message: 'too few arguments or bracketing error for acl',
        also: [{ start: open, end: open + 1, says: 'this brace is not closed' }],
      })
    }
    reader.position++
    return { arguments: list }
  },
  compile(parts, compiler) {
    const runs = parts.arguments.map((one) => compiler.template(one))
    const conclude = (
      result: AclResult | Failure,
      name: string,
      environment: Environment,
    ): boolean | Failure => {
      if (isFailure(result)) return result
      environment.value = result.userMessage ?? ''
      switch (result.verdict) {
        case 'accept':
          return true
        case 'deny':
        case 'discard':
          return false
        case 'defer':
          return new Failure('forced', `${name} deferred`)
        default:
          return failure(`${result.verdict.toUpperCase()} from acl "${name}"`)
      }
    }
    const call = (
      values: readonly Text[] | Failure,
      environment: Environment,
    ): Awaitable<boolean | Failure> => {
      if (isFailure(values)) return values
      const name = textOf(values[0] ?? '')
      const result = callAcl(values, environment)
      return result instanceof Promise
        ? result.then((settled) => conclude(settled, name, environment))
        : conclude(result, name, environment)
    }
    return (environment) => {
      const values = inOrder(runs, environment)
      return values instanceof Promise
        ? values.then((settled) => call(settled, environment))
        : call(values, environment)
    }
  },
}
