/** `and`, `or`, and the two that loop: `forany`, `forall`. */
import { isFailure, type Awaitable, type Failure } from '../../../base/outcome.ts'
import type { Text } from '../../../base/text.ts'
import type { Environment } from '../environment.ts'
import { eachItem, inside } from '../evaluate.ts'
import type { ConditionRow, Test } from '../rows.ts'
import type { ConditionNode } from '../tree.ts'

const manual = 'Combining expansion conditions'

function combination(name: 'and' | 'or', doc: string): ConditionRow {
  const stopAt = name === 'or'
  const where = `"${name}{...}" condition`
  return {
    name,
    doc,
    since: '0.1',
    manual,
    read(reader) {
      reader.skipSpace()
      const open = reader.position
      if (reader.peek() !== '{') return reader.syntax(`missing { after "${name}"`)
      reader.position++
      const conditions: ConditionNode[] = []
      for (;;) {
        reader.skipSpace()
        if (reader.peek() === '}') break
        if (reader.peek() !== '{') {
          return reader.fail({
            code: 'expansion-brace',
            message: `each subcondition inside an "${name}{...}" condition must be in its own {}`,
            also: [{ start: open, end: open + 1, says: `"${name}" begins here` }],
          })
        }
        const inner = reader.position
        reader.position++
        const one = reader.conditionInside(where)
        if (one === undefined) {
          return undefined
        }
        reader.skipSpace()
        if (reader.peek() !== '}') {
          return reader.fail({
            code: 'expansion-brace',
            message: `missing } at end of condition inside "${name}" group`,
            also: [{ start: inner, end: inner + 1, says: 'this brace is not closed' }],
          })
        }
        reader.position++
        conditions.push(one)
      }
      reader.position++
      return { arguments: [], conditions }
    },
    compile(parts, compiler) {
      const tests = (parts.conditions ?? []).map((one) => compiler.condition(one))
      const from = (start: number, environment: Environment): Awaitable<boolean | Failure> => {
        for (let i = start; i < tests.length; i++) {
          const answer = tests[i]?.(environment) ?? true
          if (answer instanceof Promise) {
            return answer.then((settled) => {
              if (isFailure(settled)) return inside(settled, where)
              return settled === stopAt ? settled : from(i + 1, environment)
            })
          }
          if (isFailure(answer)) return inside(answer, where)
          if (answer === stopAt) return answer
        }
        return !stopAt
      }
      return (environment) => from(0, environment)
    },
  }
}

/** Goes through a list until one item decides. */
function loopTest(
  name: string,
  split: (list: Text, environment: Environment) => readonly Text[] | Failure,
  stopAt: boolean,
  list: (environment: Environment) => Awaitable<Text | Failure>,
  test: Test,
): Test {
  const loop = (value: Text | Failure, environment: Environment): Awaitable<boolean | Failure> => {
    if (isFailure(value)) return value
    const items = split(value, environment)
    if (isFailure(items)) return items
    // Nothing holds for no items at all, not even forall.
    if (items.length === 0) return false
    const decided = eachItem<boolean | Failure>(items, environment, () => {
      const answer = test(environment)
      const consider = (settled: boolean | Failure) =>
        isFailure(settled) ? inside(settled, `"${name}" condition`) : settled === stopAt ? settled : undefined
      return answer instanceof Promise ? answer.then(consider) : consider(answer)
    })
    return decided instanceof Promise ? decided.then((end) => end ?? !stopAt) : (decided ?? !stopAt)
  }
  return (environment) => {
    const value = list(environment)
    return value instanceof Promise ? value.then((end) => loop(end, environment)) : loop(value, environment)
  }
}

export function loopRow(
  name: string,
  doc: string,
  stopAt: boolean,
  split: (list: Text, environment: Environment) => readonly Text[] | Failure,
): ConditionRow {
  return {
    name,
    doc,
    since: '0.1',
    manual: 'Expansion conditions',
    read(reader) {
      const list = reader.argument(`missing { after "${name}"`)
      if (list === undefined) return undefined
      reader.skipSpace()
      const open = reader.position
      if (reader.peek() !== '{') return reader.syntax(`missing { after "${name}"`)
      reader.position++
      const condition = reader.conditionInside(`"${name}" condition`)
      if (condition === undefined) return undefined
      reader.skipSpace()
      if (reader.peek() !== '}') {
        return reader.fail({
          code: 'expansion-brace',
          message: `missing } at end of condition inside "${name}"`,
          also: [{ start: open, end: open + 1, says: 'this brace is not closed' }],
        })
      }
      reader.position++
      return { arguments: [list], conditions: [condition] }
    },
    compile(parts, compiler) {
      const [list] = parts.arguments
      const [condition] = parts.conditions ?? []
      if (list === undefined || condition === undefined) return () => false
      return loopTest(name, split, stopAt, compiler.template(list), compiler.condition(condition))
    },
  }
}

const splitPlain = (list: Text, environment: Environment) => environment.context.ports.splitList(list)

export const logic: readonly ConditionRow[] = [
  combination('and', 'True when each of the conditions is; stops at the first that is not.'),
  combination('or', 'True when one of the conditions is; stops at the first that is.'),
  loopRow('forall', 'True when the condition holds for each item of the list.', false, splitPlain),
  loopRow('forany', 'True when the condition holds for an item of the list.', true, splitPlain),
]
