/** Mistakes in named lists that show without running anything: unknown names and loops. */
import { nearest, type Report, type Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import { parseIp, parseNetwork } from '../../base/ip.ts'
import { textOf } from '../../base/text.ts'
import type { Configuration, ListKind, NamedList } from '../config/configuration.ts'
import { mainOptions } from '../config/options/main.ts'
import { routerOptions } from '../config/options/router.ts'
import type { OptionTable, OptionType } from '../config/options/table.ts'
import { lookupTypes } from '../lookups/parse-type.ts'
import { splitList } from './split.ts'

const kinds: readonly ListKind[] = ['domain', 'host', 'address', 'localpart']
const signs = new Set(['caseful', 'include_unknown', 'ignore_unknown', 'include_defer', 'ignore_defer'])

/** Reports every `+name` that is not defined, in named lists and in options, and every list that contains itself. */
export function checkLists(configuration: Configuration, report: Report): void {
  checkOptions(mainOptions, configuration.main, configuration, report)
  for (const router of configuration.routers) {
    checkOptions(routerOptions, router.settings, configuration, report)
  }
  for (const kind of kinds) {
    const lists = configuration.namedLists[kind]
    const innocent = withoutLoop(lists)
    for (const list of lists.values()) {
      checkList(kind, list.value, configuration, report)
      const loop = innocent.has(list) ? undefined : findLoop(list, lists)
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

const kindsOfTypes = new Map<OptionType, ListKind>([
  ['domainList', 'domain'],
  ['hostList', 'host'],
  ['addressList', 'address'],
  ['localPartList', 'localpart'],
])

function checkOptions(
  table: OptionTable,
  settings: object,
  configuration: Configuration,
  report: Report,
): void {
  for (const [name, { type }] of Object.entries(table)) {
    const kind = kindsOfTypes.get(type)
    const value: unknown = Object.getOwnPropertyDescriptor(settings, name)?.value
    if (kind !== undefined && value instanceof Expandable) checkList(kind, value, configuration, report)
  }
}

/** Reports what shows to be wrong with one list. */
export function checkList(
  kind: ListKind,
  list: Expandable,
  configuration: Configuration,
  report: Report,
): void {
  checkNames(kind, list, configuration, report)
  checkLookups(list, report)
  if (kind === 'host') checkMasks(list, report)
}

const lookupWord =
  /(?:^|[\s:;,!@])(?:net\d*-|partial\d*(?:\([^)]*\)-?|-))*([a-z]\w+)(?:\*@?)?(?:,[^;:\s]*)?;/g

/** A lookup that cannot work here would defer all mail that comes to it. */
function checkLookups(list: Expandable, report: Report): void {
  if (!list.text.includes(';')) return
  for (const match of list.text.matchAll(lookupWord)) {
    const name = match[1] ?? ''
    const known = Object.hasOwn(lookupTypes, name) ? lookupTypes[name] : undefined
    if (known === undefined || known.works === true) continue
    const start = match.index + match[0].indexOf(name)
    report({
      code: 'list-lookup',
      severity: 'error',
      message: `lookup type "${name}" is not available`,
      at: list.span(start, start + name.length),
      help: known.help,
    })
  }
}

/** An address with a mask that cannot be never matches anything. */
function checkMasks(list: Expandable, report: Report): void {
  for (const item of constantItems(list)) {
    const bare = item.replace(/^!\s*/, '')
    const [address = '', mask] = bare.split('/')
    // Several items in one are another finding.
    if (/[\s,;]/.test(bare)) continue
    if (mask === undefined || parseIp(address) === undefined || parseNetwork(bare) !== undefined) continue
    report({
      code: 'list-mask',
      severity: 'warning',
      message: `"${bare}" never matches: its mask is wrong`,
      at: spanOf(list, bare),
      help: 'a mask is the number of bits that count: 192.0.2.0/24',
    })
  }
}

const kindNames: Readonly<Record<ListKind, string>> = {
  address: 'address',
  domain: 'domain',
  host: 'host',
  localpart: 'local part',
}

function checkNames(kind: ListKind, list: Expandable, configuration: Configuration, report: Report): void {
  const known = configuration.namedLists[kind]
  for (const name of namesIn(list)) {
    if (known.has(name) || signs.has(name)) continue
    const near = nearest(name, [...known.keys(), ...signs])
    const other = kinds.find((each) => configuration.namedLists[each].has(name))
    const help =
      other === undefined
        ? near && `did you mean "+${near}"?`
        : `${name} is a ${kindNames[other]} list, and this is a ${kindNames[kind]} list`
    report({
      code: 'list-unknown',
      severity: 'error',
      message: `unknown named ${kindNames[kind]} list "+${name}"`,
      at: spanOf(list, `+${name}`),
      help,
    })
  }
}

/** Where an item stands; the whole list when doubled separators hide it. */
function spanOf(list: Expandable, item: string): Span {
  const start = list.text.indexOf(item)
  return start < 0 ? list.span() : list.span(start, start + item.length)
}

/** An expansion in the list hides its items, so only constant lists are read. */
function constantItems(list: Expandable): string[] {
  if (list.text.includes('$') || list.text.includes('\\')) return []
  return splitList(list.text).map(textOf)
}

/** Names after a plus sign. */
function namesIn(list: Expandable): string[] {
  return constantItems(list).flatMap((item) => {
    const name = /^!?\s*\+(.+)$/.exec(item)?.[1]
    return name === undefined ? [] : [name]
  })
}

/** Lists from which no way leads into a loop: nearly always all of them. Each list is looked at once. */
function withoutLoop(lists: ReadonlyMap<string, NamedList>): ReadonlySet<NamedList> {
  const innocent = new Set<NamedList>()
  /** What each list that has been entered names. */
  const named = new Map<NamedList, readonly NamedList[]>()
  for (const start of lists.values()) {
    const open = [start]
    for (let list = open.at(-1); list !== undefined; list = open.at(-1)) {
      const inner = named.get(list)
      if (inner === undefined) {
        const names = namesIn(list.value).flatMap((name) => lists.get(name) ?? [])
        named.set(list, names)
        open.push(...names.filter((each) => !named.has(each)))
      } else {
        // What it names has been looked at before; what has not ended yet leads back here.
        open.pop()
        if (inner.every((each) => innocent.has(each))) innocent.add(list)
      }
    }
  }
  return innocent
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
