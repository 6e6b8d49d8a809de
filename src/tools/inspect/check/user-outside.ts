/**
 * Users that a stranger chooses: `user = $local_part` of a router that takes any local part. Observed of Exim 4.96: it is not
 * refused; an account of that name is used, except root and those of never_users, and where there is none the message waits.
 */
import type { Report } from '../../../base/diagnostic.ts'
import type { RouterInstance } from '../../../language/config/configuration.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { walk } from './walk.ts'

/** The options of a router that say which values of a variable it takes. */
const limits: Readonly<Record<string, readonly string[]>> = {
  local_part: ['check_local_user', 'local_parts', 'condition', 'require_files'],
  domain: ['domains', 'condition', 'require_files'],
}

export const userOutside: Check = {
  name: 'user-outside',
  doc: 'A user or group that whoever sends a message chooses.',
  run(subject, report) {
    for (const owned of subject.texts) {
      const { owner } = owned
      if (owner.in !== 'router' && owner.in !== 'transport') continue
      if (owner.option === 'user' || owner.option === 'group') tell(owned, owner.option, subject, report)
    }
  },
}

function tell({ text, tree, owner }: OwnedText, option: string, subject: Subject, report: Report): void {
  if (tree === undefined || (owner.in !== 'router' && owner.in !== 'transport')) return
  const routers = routersOf(owner, subject)
  for (const node of tree.nodes) {
    const found = node.kind === 'operator' ? node.body.nodes[0] : node
    if (found?.kind !== 'variable') continue
    const limiting = limits[found.name]
    const free = routers.find((router) => !limiting?.some((each) => router.setAt.has(each)))
    if (limiting === undefined || free === undefined || isAskedFor(free, found.name, subject)) continue
    report({
      code: 'user-outside',
      severity: 'warning',
      message: `whoever sends a message chooses the ${option} that ${owner.in} ${owner.instance.name} uses: $${found.name} comes from outside, and router ${free.name} takes any`,
      at: text.span(found.start, found.end),
      help:
        found.name === 'local_part'
          ? 'add "check_local_user" to the router, or "local_parts = ..." with those that are meant'
          : 'add "domains = ..." to the router, with those that are meant',
      ...(owner.in === 'transport' && { also: [{ at: free.at, says: 'this router' }] }),
    })
  }
}

function routersOf(
  { instance }: Extract<OwnedText['owner'], { readonly instance: unknown }>,
  { configuration }: Subject,
): readonly RouterInstance[] {
  return configuration.routers.filter(
    (router) => router === instance || router.settings.transport?.text.trim() === instance.name,
  )
}

/** Another option of the router may look at it, such as `senders` or `address_data`. */
function isAskedFor(router: RouterInstance, variable: string, { texts }: Subject): boolean {
  let found = false
  for (const { owner, tree } of texts) {
    if (owner.in !== 'router' || owner.instance !== router || owner.option === 'user' || tree === undefined)
      continue
    if (!['address_data', 'set', 'senders'].includes(owner.option)) continue
    walk(tree, {
      node(node) {
        if (node.kind === 'variable' && node.name === variable) found = true
      },
    })
  }
  return found
}
