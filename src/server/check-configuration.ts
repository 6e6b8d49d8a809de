/**
 * What can be found wrong with a configuration beyond reading it: its ACLs, its named lists, every text that will be
 * expanded. Source: ARCHITECTURE, "What stops the start".
 */
import type { Diagnostic, Report } from '../base/diagnostic.ts'
import { type Expandable, ExpandableItems, expandedTexts } from '../base/expandable.ts'
import { createExpander } from '../language/expand/index.ts'
import { createListMatcher } from '../language/lists/index.ts'
import type { Configuration } from '../language/config/configuration.ts'
import { createAclEngine } from '../policy/acl/index.ts'
import { checkProxies } from './check-proxies.ts'

/** What Exim itself refuses while it reads. */
export function checkAcls(configuration: Configuration): Diagnostic[] {
  const found: Diagnostic[] = []
  createAclEngine().load(configuration, (diagnostic) => found.push(diagnostic))
  return found
}

/** What Exim finds only when it is used: mistakes in lists and in texts to expand. */
export function checkTexts(configuration: Configuration): Diagnostic[] {
  const found: Diagnostic[] = []
  const report: Report = (diagnostic) => found.push({ ...diagnostic, fatal: false })
  createListMatcher().check(configuration, report)
  checkProxies(configuration, report)
  const expander = createExpander()
  for (const { text, help } of expandables(configuration))
    for (const each of expander.check(text)) report({ ...each, help: each.help ?? help })
  for (const text of createAclEngine().texts(configuration))
    for (const each of expander.check(text)) report(each)
  return found
}

interface CheckedText {
  readonly text: Expandable
  /** Where the mistake has no help of its own. */
  readonly help?: string
}

/** Every text of the configuration that is expanded when used, each once. */
function* expandables(configuration: Configuration): Iterable<CheckedText> {
  const { main, routers, transports, authenticators, namedLists, rewrite } = configuration
  const settings: readonly object[] = [
    main,
    ...[...routers, ...transports.values(), ...authenticators].map((instance) => instance.settings),
  ]
  for (const each of settings) {
    for (const value of Object.values(each)) yield* checked(value)
  }
  for (const lists of Object.values(namedLists)) for (const list of lists.values()) yield { text: list.value }
  for (const rule of rewrite) {
    yield { text: rule.pattern }
    yield { text: rule.replacement }
  }
}

function* checked(value: unknown): Iterable<CheckedText> {
  const lists = Array.isArray(value) ? value : [value]
  for (const list of lists)
    for (const text of expandedTexts(list))
      yield list instanceof ExpandableItems && list.items.length > 1 ? { text, help: itemsHelp } : { text }
}

const itemsHelp =
  'the items of this list are expanded one by one: a separator within an expansion must be doubled, or another one chosen, as in "<;"'
