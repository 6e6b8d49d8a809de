/** `$domain_data` and `$local_part_data` of deliveries for which no option of the router sets them. */
import type { Report } from '../../../base/diagnostic.ts'
import type { RouterInstance } from '../../../language/config/configuration.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { asks, walk } from './walk.ts'

/** What sets a variable: it is empty when a router has none of these. Source: Exim manual, "Expansion variables". */
const setBy: Readonly<Record<string, readonly string[]>> = {
  domain_data: ['domains'],
  local_part_data: ['local_parts', 'check_local_user'],
}

export const dataVariables: Check = {
  name: 'data-variables',
  doc: 'Variables that hold what a router found, and that no option of the router sets.',
  run(subject, report) {
    for (const owned of subject.texts)
      for (const router of routersOf(owned, subject)) if (tellEmpty(owned, router, report)) break
  },
}

/** The routers for whose addresses a text is expanded, where that is told by a name. */
function routersOf({ owner }: OwnedText, { configuration }: Subject): readonly RouterInstance[] {
  if (owner.in === 'router') return configuration.routers.filter((router) => router === owner.instance)
  if (owner.in !== 'transport') return []
  const { name } = owner.instance
  return configuration.routers.filter(({ settings }) => settings.transport?.text.trim() === name)
}

function tellEmpty({ text, tree, owner }: OwnedText, router: RouterInstance, report: Report): boolean {
  // Whoever asks whether a variable is set knows that it may not be.
  if (tree === undefined || asks(tree, 'def')) return false
  let told = false
  walk(tree, {
    node(node) {
      if (node.kind !== 'variable' || told) return
      const setters = setBy[node.name]
      if (setters === undefined || setters.some((option) => router.setAt.has(option))) return
      told = true
      const where = owner.in === 'transport' ? `, which sends addresses to this transport,` : ''
      report({
        code: 'variable-unset',
        severity: 'warning',
        message: `$${node.name} is empty: router ${router.name}${where} has no "${setters.join('" and no "')}"`,
        at: text.span(node.start, node.end),
        help: `add "${setters[0]} = ..." to the router, with a list or a lookup that names what may be delivered`,
        ...(owner.in === 'transport' && { also: [{ at: router.at, says: 'this router' }] }),
      })
    },
  })
  return told
}
