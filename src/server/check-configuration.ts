/**
 * What can be found wrong with a configuration beyond reading it: its ACLs, its named lists, every text that will be
 * expanded. Source: ARCHITECTURE, "What stops the start".
 */
import type { Diagnostic, Report } from '../base/diagnostic.ts'
import { Expandable } from '../base/expandable.ts'
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
  for (const text of expandables(configuration)) for (const each of expander.check(text)) report(each)
  for (const text of createAclEngine().texts(configuration))
    for (const each of expander.check(text)) report(each)
  return found
}

/** Every text of the configuration that is expanded when used, each once. */
function* expandables(configuration: Configuration): Iterable<Expandable> {
  const { main, routers, transports, authenticators, namedLists, rewrite } = configuration
  const settings: readonly object[] = [
    main,
    ...[...routers, ...transports.values(), ...authenticators].map((instance) => instance.settings),
  ]
  for (const each of settings) {
    for (const value of Object.values(each)) yield* within(value)
  }
  for (const lists of Object.values(namedLists)) for (const list of lists.values()) yield list.value
  for (const rule of rewrite) {
    yield rule.pattern
    yield rule.replacement
  }
}

function* within(value: unknown): Iterable<Expandable> {
  if (value instanceof Expandable) yield value
  else if (Array.isArray(value)) for (const each of value) if (each instanceof Expandable) yield each
}
