/** Items that go through lists: map, filter, reduce, sort, listextract. */
import { isFailure, type Awaitable, type Failure, type Outcome } from '../../../base/outcome.ts'
import { concat, retaint, textOf, type Text } from '../../../base/text.ts'
import { numericOrders, order, stringOrders } from '../conditions/compare.ts'
import { failure, largestResult, type Environment } from '../environment.ts'
import { eachItem, finallyDo, inside, quoteItem, separatorOf } from '../evaluate.ts'
import { lowerCase } from '../letters.ts'
import { readInteger } from '../numbers.ts'
import type { ItemRow, Run } from '../rows.ts'
import { choosingItem } from './kinds.ts'

const manual = 'Expansion items'

/** Joins items to a list again: separators inside are doubled, an empty item but the first becomes a space. */
export function joinList(items: readonly Text[], separator: string): Text {
  const parts: Text[] = []
  items.forEach((item, i) => {
    if (i > 0) parts.push(separator)
    const text = textOf(item)
    // Three separators side by side would be read as one that is doubled, and one.
    const apart = i > 0 && (text === '' || text.startsWith(separator)) ? ' ' : ''
    const quoted = apart + quoteItem(text, separator)
    parts.push(quoted === text ? item : retaint(quoted, item))
  })
  return concat(parts)
}

/** Splits what a run gives and hands the items on. */
function withList(
  list: Run,
  next: (items: Text[], separator: string, environment: Environment) => Awaitable<Outcome>,
): Run {
  const split = (value: Outcome, environment: Environment): Awaitable<Outcome> =>
    isFailure(value)
      ? value
      : next(environment.context.ports.splitList(value), separatorOf(value), environment)
  return (environment) => {
    const value = list(environment)
    return value instanceof Promise
      ? value.then((settled) => split(settled, environment))
      : split(value, environment)
  }
}

const nothing: Run = () => ''

const map: ItemRow = {
  name: 'map',
  doc: 'Makes a list of what the second string comes to for each item of the first.',
  since: '0.1',
  manual,
  read(reader, start) {
    const list = reader.argument("missing '{' for first arg of map")
    const body = list && reader.argumentInside("missing '{' for last arg of map", '"map" item')
    if (list === undefined || body === undefined) return undefined
    return reader.close('missing } at end of "map"', start) ? { arguments: [list, body] } : undefined
  },
  compile(parts, compiler) {
    const [list = nothing, body = nothing] = parts.arguments.map((one) => compiler.template(one))
    return withList(list, (items, separator, environment) => {
      const results: Text[] = []
      let total = 0
      const collect = (value: Outcome): Failure | undefined => {
        if (isFailure(value)) return inside(value, '"map" item')
        total += textOf(value).length
        if (total > largestResult) return failure('expansion result is too long')
        results.push(value)
        return undefined
      }
      const failed = eachItem<Failure>(items, environment, () => {
        const value = body(environment)
        return value instanceof Promise ? value.then(collect) : collect(value)
      })
      const finish = (end: Failure | undefined) => end ?? joinList(results, separator)
      return failed instanceof Promise ? failed.then(finish) : finish(failed)
    })
  },
}

const filter: ItemRow = {
  name: 'filter',
  doc: 'Keeps the items of a list for which the condition holds.',
  since: '0.1',
  manual,
  read(reader, start) {
    const list = reader.argument("missing '{' for first arg of filter")
    if (list === undefined) return undefined
    reader.skipSpace()
    const open = reader.position
    if (reader.peek() !== '{') return reader.syntax("missing '{' for last arg of filter")
    reader.position++
    const condition = reader.conditionInside('"filter" item')
    if (condition === undefined) return undefined
    reader.skipSpace()
    if (reader.peek() !== '}') {
      return reader.fail({
        code: 'expansion-brace',
        message:
          'missing } at end of condition or expression inside "filter"; could be an unquoted } in the content',
        also: [{ start: open, end: open + 1, says: 'this brace is not closed' }],
      })
    }
    reader.position++
    return reader.close('missing } at end of "filter"', start) ? { arguments: [list], condition } : undefined
  },
  compile(parts, compiler) {
    const [list = nothing] = parts.arguments.map((one) => compiler.template(one))
    const test = parts.condition === undefined ? () => false : compiler.condition(parts.condition)
    return withList(list, (items, separator, environment) => {
      const results: Text[] = []
      const failed = eachItem<Failure>(items, environment, (item) => {
        const keep = (answer: boolean | Failure): Failure | undefined => {
          if (isFailure(answer)) return inside(answer, '"filter" condition')
          if (answer) results.push(item)
          return undefined
        }
        const answer = test(environment)
        return answer instanceof Promise ? answer.then(keep) : keep(answer)
      })
      const finish = (end: Failure | undefined) => end ?? joinList(results, separator)
      return failed instanceof Promise ? failed.then(finish) : finish(failed)
    })
  },
}

const reduce: ItemRow = {
  name: 'reduce',
  doc: 'Goes through a list and carries $value from item to item.',
  since: '0.1',
  manual,
  read(reader, start) {
    const list = reader.argument("missing '{' for first arg of reduce")
    const first = list && reader.argument("missing '{' for second arg of reduce")
    const body = first && reader.argumentInside("missing '{' for last arg of reduce", '"reduce" item')
    if (list === undefined || first === undefined || body === undefined) return undefined
    return reader.close('missing } at end of "reduce"', start)
      ? { arguments: [list, first, body] }
      : undefined
  },
  compile(parts, compiler) {
    const [list = nothing, first = nothing, body = nothing] = parts.arguments.map((one) =>
      compiler.template(one),
    )
    const loop = (items: readonly Text[], initial: Outcome, environment: Environment): Awaitable<Outcome> => {
      if (isFailure(initial)) return initial
      const before = environment.value
      environment.value = initial
      const take = (value: Outcome): Failure | undefined => {
        if (isFailure(value)) return inside(value, '"reduce" item')
        environment.value = value
        return undefined
      }
      const failed = eachItem<Failure>(items, environment, () => {
        const value = body(environment)
        return value instanceof Promise ? value.then(take) : take(value)
      })
      const finish = (end: Failure | undefined): Outcome => end ?? environment.value
      return finallyDo(failed instanceof Promise ? failed.then(finish) : finish(failed), () => {
        environment.value = before
      })
    }
    return withList(list, (items, _, environment) => {
      const initial = first(environment)
      return initial instanceof Promise
        ? initial.then((settled) => loop(items, settled, environment))
        : loop(items, initial, environment)
    })
  },
}

type Comparator = (a: Text, b: Text) => boolean | Failure

/** The name of a two-argument condition as a comparison. */
function comparatorNamed(name: string): Comparator | undefined {
  const numeric = name.startsWith('<') || name.startsWith('>') ? numericOrders[name] : undefined
  if (numeric !== undefined) {
    return (a, b) => {
      const first = readInteger(textOf(a))
      if (isFailure(first)) return first
      const second = readInteger(textOf(b))
      if (isFailure(second)) return second
      return numeric(first < second ? -1 : first > second ? 1 : 0)
    }
  }
  const caseless = name.endsWith('i')
  const base = caseless ? name.slice(0, -1) : name
  const holds = base === 'eq' ? undefined : stringOrders[base]
  if (holds === undefined) return undefined
  const fold = (text: Text) => (caseless ? lowerCase(textOf(text)) : textOf(text))
  return (a, b) => holds(order(fold(a), fold(b)))
}

const sort: ItemRow = {
  name: 'sort',
  doc: 'Sorts a list by a comparison of what the third string comes to for each item.',
  since: '0.1',
  manual,
  read(reader, start) {
    const list = reader.argument("missing '{' for list arg of sort")
    const comparator = list && reader.argument("missing '{' for comparator arg of sort")
    const key = comparator && reader.argument("missing '{' for extractor arg of sort")
    if (list === undefined || comparator === undefined || key === undefined) return undefined
    return reader.close('missing } at end of "sort"', start)
      ? { arguments: [list, comparator, key] }
      : undefined
  },
  compile(parts, compiler) {
    const [list = nothing, comparator = nothing, key = nothing] = parts.arguments.map((one) =>
      compiler.template(one),
    )
    const sortBy = (items: readonly Text[], separator: string, name: Outcome, environment: Environment) => {
      if (isFailure(name)) return name
      const word = textOf(name)
      const compare = comparatorNamed(word)
      if (compare === undefined) {
        if (!/^[\w<>=!]/.test(word)) return failure(`condition name expected, but found "${word}"`)
        return failure(
          /^(?:eqi?|==?)$/.test(word)
            ? 'comparator not handled for sort'
            : `unknown comparator "${word}" in "sort"`,
        )
      }
      const keyed: { item: Text; key: Text }[] = []
      const failed = eachItem<Failure>(items, environment, (item) => {
        const take = (value: Outcome): Failure | undefined => {
          if (isFailure(value)) return value
          keyed.push({ item, key: value })
          return undefined
        }
        const value = key(environment)
        return value instanceof Promise ? value.then(take) : take(value)
      })
      const finish = (end: Failure | undefined): Awaitable<Outcome> =>
        end ?? sorted(keyed, compare, separator, environment)
      return failed instanceof Promise ? failed.then(finish) : finish(failed)
    }
    return withList(list, (items, separator, environment) => {
      const name = comparator(environment)
      return name instanceof Promise
        ? name.then((settled) => sortBy(items, separator, settled, environment))
        : sortBy(items, separator, name, environment)
    })
  },
}

interface Keyed {
  readonly item: Text
  readonly key: Text
}

/** So many items are sorted in one go, in some milliseconds. */
const sortedInOneGo = 2048

function sorted(
  keyed: readonly Keyed[],
  compare: Comparator,
  separator: string,
  environment: Environment,
): Awaitable<Outcome> {
  // A comparison that fails counts as false, as in Exim.
  const holds = (a: Text, b: Text) => compare(a, b) === true
  const order = (a: Keyed, b: Keyed) => (holds(a.key, b.key) ? -1 : holds(b.key, a.key) ? 1 : 0)
  const join = (result: readonly Keyed[]): Outcome =>
    joinList(
      result.map((one) => one.item),
      separator,
    )
  if (keyed.length <= sortedInOneGo) return join([...keyed].sort(order))
  return sortLong(keyed, order, environment).then(join)
}

/** Sorts stretches, then merges two and two; others have their turn in between. */
async function sortLong(
  keyed: readonly Keyed[],
  order: (a: Keyed, b: Keyed) => number,
  environment: Environment,
): Promise<readonly Keyed[]> {
  let runs: (readonly Keyed[])[] = []
  for (let at = 0; at < keyed.length; at += sortedInOneGo) {
    runs.push(keyed.slice(at, at + sortedInOneGo).sort(order))
    if (environment.overdue()) await environment.breathe()
  }
  while (runs.length > 1) {
    const merged: (readonly Keyed[])[] = []
    for (let i = 0; i < runs.length; i += 2)
      merged.push(await merge(runs[i] ?? [], runs[i + 1] ?? [], order, environment))
    runs = merged
  }
  return runs[0] ?? []
}

async function merge(
  left: readonly Keyed[],
  right: readonly Keyed[],
  order: (a: Keyed, b: Keyed) => number,
  environment: Environment,
): Promise<readonly Keyed[]> {
  const result: Keyed[] = []
  let l = 0
  let r = 0
  for (let a = left[0], b = right[0]; a !== undefined && b !== undefined; ) {
    if (order(a, b) <= 0) {
      result.push(a)
      a = left[++l]
    } else {
      result.push(b)
      b = right[++r]
    }
    if ((l + r) % sortedInOneGo === 0 && environment.overdue()) await environment.breathe()
  }
  return [...result, ...left.slice(l), ...right.slice(r)]
}

const listextract = choosingItem({
  name: 'listextract',
  doc: 'The item of that number of a list; negative numbers count from the end.',
  since: '0.1',
  manual,
  count: 2,
  choose([number = '', list = ''], environment) {
    const digits = textOf(number).trim()
    if (digits === '') return failure('first argument of "listextract" must not be empty')
    if (!/^-?\d*$/.test(digits)) return failure('first argument of "listextract" must be numeric')
    const items = environment.context.ports.splitList(list)
    const index = digits === '-' ? 0 : Number(digits)
    const item = index === 0 ? undefined : items[index > 0 ? index - 1 : items.length + index]
    return { found: item !== undefined, value: item ?? '' }
  },
})

export const listItems: readonly ItemRow[] = [filter, listextract, map, reduce, sort]
