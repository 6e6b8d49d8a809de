/** ACLs that an expansion names and nobody defines: `${acl{NAME}}`, and an option that chooses its ACL. */
import { nearest, type Report } from '../../../base/diagnostic.ts'
import type { Expandable } from '../../../base/expandable.ts'
import type { Template } from '../../../language/expand/tree.ts'
import { aclOptions } from '../../../policy/acl/check.ts'
import type { Check, Subject } from './subject.ts'
import { branchesOf, constantText, walk } from './walk.ts'

export const aclNames: Check = {
  name: 'acl-names',
  doc: 'ACLs that an expansion names and nobody defines.',
  run(subject, report) {
    for (const { text, tree, owner } of subject.texts) {
      if (tree === undefined) continue
      const tell = (template: Template | undefined): void => tellUnknown(template, text, subject, report)
      walk(tree, {
        node(node) {
          if (node.kind === 'item' && node.name === 'acl') tell(node.parts.arguments[0])
        },
        condition(node) {
          if (node.name === 'acl') tell(node.parts.arguments[0])
        },
      })
      if (owner.in === 'main' && Object.hasOwn(aclOptions, owner.option)) chosen(tree).forEach(tell)
    }
  },
}

/** The branches of an option's text that is one item: each is what the option comes to. */
function chosen(tree: Template): Template[] {
  const [only, ...more] = tree.nodes
  if (only?.kind !== 'item' || more.length > 0) return []
  return branchesOf(only.parts.branches).flatMap((branch) => {
    const deeper = chosen(branch)
    return deeper.length > 0 ? deeper : [branch]
  })
}

function tellUnknown(
  template: Template | undefined,
  text: Expandable,
  { configuration }: Subject,
  report: Report,
): void {
  const name = constantText(template)
  if (template === undefined || name === undefined) return
  // A file, or the text of an ACL itself.
  if (!/^\w+$/.test(name) || /^(?:accept|defer|deny|discard|drop|require|warn)$/.test(name)) return
  if (configuration.acls.has(name)) return
  const near = nearest(name, configuration.acls.keys())
  report({
    code: 'acl-unknown',
    severity: 'error',
    message: `unknown ACL verb "${name}" in "${name}"`,
    at: text.span(template.start, template.end),
    help: `no ACL is named "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
  })
}
