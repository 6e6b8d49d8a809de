/** Mistakes in named lists that show without running anything: unknown names and loops. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import type { Expandable } from '../../base/expandable.ts'
import { textOf } from '../../base/text.ts'
import type { Configuration, ListKind, NamedList } from '../config/configuration.ts'
import { splitList } from './split.ts'

const kinds: readonly ListKind[] = ['domain', 'host', 'address', 'localpart']
const signs = new Set(['caseful', 'include_unknown', 'ignore_unknown', 'include_defer', 'ignore_defer'])

/** Reports every `+name` that is not defined and every list that contains itself. */
export function checkLists(configuration: Configuration, report: Report): void {
  for (const kind of kinds) {
    const lists = configuration.namedLists[kind]
    for (const list of lists.values()) {
      checkNames(kind, list.value, configuration, report)
      const loop = findLoop(list, lists)
      if (loop !== undefined) {
        report({
          code: 'list-loop',
          severity: 'error',
          message: `named ${kind} list "${list.name}" contains itself: ${loop.join(' -> ')}`,
          at: list.at,
        })
      }
    }
  }
}

/** Reports names of lists that a list uses and nobody defines. */
export function checkNames(
  kind: ListKind,
  list: Expandable,
  configuration: Configuration,
  report: Report,
): void {
  const known = configuration.namedLists[kind]
  for (const name of namesIn(list)) {
    if (known.has(name) || signs.has(name)) continue
    const near = nearest(name, known.keys())
    report({
      code: 'list-unknown',
      severity: 'error',
      message: `unknown named ${kind === 'localpart' ? 'local part' : kind} list "+${name}"`,
      at: list.span(),
      help: near === undefined ? undefined : `did you mean "+${near}"?`,
    })
  }
}

/** Names after a plus sign; an expansion in the list hides its items, so only constant lists are read. */
function namesIn(list: Expandable): string[] {
  if (list.text.includes('$') || list.text.includes('\\')) return []
  return splitList(list.text).flatMap((item) => {
    const name = /^!?\s*\+(.+)$/.exec(textOf(item))?.[1]
    return name === undefined ? [] : [name]
  })
}

/** The way from a list back to itself; undefined when there is none. */
function findLoop(start: NamedList, lists: ReadonlyMap<string, NamedList>): string[] | undefined {
  const seen = new Set<string>()
  const ways: string[][] = [[start.name]]
  for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
    const list = lists.get(way.at(-1) ?? '')
    if (list === undefined) continue
    for (const name of namesIn(list.value)) {
      if (name === start.name) return [...way, name]
      if (seen.has(name)) continue
      seen.add(name)
      ways.push([...way, name])
    }
  }
  return undefined
}
