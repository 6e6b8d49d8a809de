/** What a check looks at: the configuration, its ACLs taken apart, and every text that will be expanded, as a tree. */
import type { Report } from '../../../base/diagnostic.ts'
import { type Expandable, expandedTexts } from '../../../base/expandable.ts'
import { parse } from '../../../language/expand/parse.ts'
import type { Template } from '../../../language/expand/tree.ts'
import type { Configuration, Instance } from '../../../language/config/configuration.ts'
import { createAclEngine } from '../../../policy/acl/index.ts'
import type { Acl } from '../../../policy/acl/statement.ts'

/** Where a text stands: what its value becomes follows from it. */
export type Owner =
  | { readonly in: 'main'; readonly option: string }
  | {
      readonly in: 'router' | 'transport' | 'authenticator'
      readonly instance: Instance<object>
      readonly option: string
    }
  | { readonly in: 'acl'; readonly acl: Acl; readonly row: string }
  | { readonly in: 'list'; readonly name: string }
  | { readonly in: 'rewrite' | 'retry' }

export interface OwnedText {
  readonly text: Expandable
  readonly owner: Owner
  /** Undefined when it cannot be parsed: another finding says so. */
  readonly tree: Template | undefined
}

export interface Subject {
  readonly configuration: Configuration
  readonly acls: readonly Acl[]
  readonly texts: readonly OwnedText[]
  /** Files and folders of the host, with the eyes of the run-time user. */
  readonly host: HostView
}

/** Undefined: there is nothing of this name; `closed`: it cannot be read by the run-time user. */
export interface HostView {
  look(path: string): 'file' | 'folder' | 'other' | 'closed' | undefined
  /** What stands in a small file; undefined when it is large or closed to us. */
  read(path: string): string | undefined
}

/** One kind of finding, or a family of them. */
export interface Check {
  readonly name: string
  readonly doc: string
  run(subject: Subject, report: Report): void
}

export function makeSubject(configuration: Configuration, host: HostView): Subject {
  const engine = createAclEngine()
  const acls = [...engine.parsed(configuration)]
  const texts: OwnedText[] = []
  const add = (text: Expandable, owner: Owner): void => {
    const parsed = parse(text.text)
    texts.push({ text, owner, tree: parsed.fault === undefined ? parsed.template : undefined })
  }
  for (const [option, value] of Object.entries(configuration.main))
    for (const text of expandedTexts(value)) add(text, { in: 'main', option })
  const instances = [
    ...configuration.routers.map((instance) => ({ in: 'router', instance }) as const),
    ...[...configuration.transports.values()].map((instance) => ({ in: 'transport', instance }) as const),
    ...configuration.authenticators.map((instance) => ({ in: 'authenticator', instance }) as const),
  ]
  for (const { in: kind, instance } of instances)
    for (const [option, value] of Object.entries(instance.settings))
      for (const text of expandedTexts(value)) add(text, { in: kind, instance, option })
  for (const acl of acls)
    for (const { clauses } of acl.statements)
      for (const { row, words, argument } of clauses)
        for (const text of words.length > 0 ? words : [argument]) add(text, { in: 'acl', acl, row: row.name })
  for (const lists of Object.values(configuration.namedLists))
    for (const list of lists.values()) add(list.value, { in: 'list', name: list.name })
  for (const rule of configuration.rewrite) add(rule.replacement, { in: 'rewrite' })
  return { configuration, acls, texts, host }
}
