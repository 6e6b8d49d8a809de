/** Every list of a configuration that is matched against something, with its kind. */
import { Expandable } from '../../../base/expandable.ts'
import type { ListKind } from '../../../language/config/configuration.ts'
import { mainOptions } from '../../../language/config/options/main.ts'
import { routerOptions } from '../../../language/config/options/router.ts'
import type { OptionTable, OptionType } from '../../../language/config/options/table.ts'
import type { ConditionNode } from '../../../language/expand/tree.ts'
import { routerTable, transportTable } from '../../../server/driver-tables.ts'
import type { OwnedText, Subject } from './subject.ts'
import { walk } from './walk.ts'

export interface FoundList {
  readonly kind: ListKind | 'string'
  readonly text: Expandable
  /** The condition of an ACL. */
  readonly row?: string
  readonly in: 'acl' | 'condition' | 'driver' | 'list' | 'main' | 'router'
}

const kindsOfTypes: ReadonlyMap<OptionType, ListKind> = new Map<OptionType, ListKind>([
  ['domainList', 'domain'],
  ['hostList', 'host'],
  ['addressList', 'address'],
  ['localPartList', 'localpart'],
])

const kindsOfConditions: ReadonlyMap<string, ListKind> = new Map<string, ListKind>([
  ['match_address', 'address'],
  ['match_domain', 'domain'],
  ['match_ip', 'host'],
  ['match_local_part', 'localpart'],
])

export function* listsOf({ acls, configuration, texts }: Subject): Iterable<FoundList> {
  for (const { statements } of acls)
    for (const { row, argument } of statements.flatMap(({ clauses }) => clauses))
      if (row.argument === 'list') yield { kind: row.list, text: argument, row: row.name, in: 'acl' }
  // The keys of `namedLists` are the kinds.
  for (const [kind, lists] of Object.entries(configuration.namedLists))
    for (const list of lists.values()) yield { kind: kind as ListKind, text: list.value, in: 'list' }
  yield* optionsOf(mainOptions, configuration.main, 'main')
  for (const { driver, settings } of configuration.routers) {
    yield* optionsOf(routerOptions, settings, 'router')
    yield* optionsOf(routerTable[driver]?.options ?? {}, settings, 'driver')
  }
  for (const { driver, settings } of configuration.transports.values())
    yield* optionsOf(transportTable[driver]?.options ?? {}, settings, 'driver')
  for (const text of texts) yield* conditionsOf(text)
}

function* optionsOf(table: OptionTable, settings: object, where: FoundList['in']): Iterable<FoundList> {
  for (const [name, { type }] of Object.entries(table)) {
    const kind = kindsOfTypes.get(type)
    const value: unknown = Object.getOwnPropertyDescriptor(settings, name)?.value
    if (kind !== undefined && value instanceof Expandable) yield { kind, text: value, in: where }
  }
}

/** The lists of `match_domain` and its kin, which stand in the text as they are. */
function conditionsOf({ text, tree }: OwnedText): FoundList[] {
  const found: FoundList[] = []
  const take = ({ name, parts }: ConditionNode): void => {
    const kind = kindsOfConditions.get(name)
    const { raw } = parts
    const from = text.text.indexOf('{', parts.arguments[0]?.end ?? 0) + 1
    if (kind === undefined || raw === undefined || !text.text.startsWith(raw, from)) return
    const { origin } = text
    const list = new Expandable(
      raw,
      { locate: (start, end) => origin.locate(from + start, from + end) },
      name,
    )
    found.push({ kind, text: list, in: 'condition' })
  }
  if (tree !== undefined) walk(tree, { condition: take })
  return found
}
