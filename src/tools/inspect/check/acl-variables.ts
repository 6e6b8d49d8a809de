/** ACL variables that nothing sets and that are nearly called as one that is set: a slip of the pen. */
import { editDistance } from '../../../base/diagnostic.ts'
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

export const aclVariables: Check = {
  name: 'acl-variables',
  doc: 'ACL variables that nothing sets, and that differ by a letter from one that is set.',
  run({ acls, texts }, report) {
    const set = new Set(
      acls.flatMap(({ statements }) =>
        statements.flatMap(({ clauses }) => clauses.map(({ variable }) => variable)),
      ),
    )
    const told = new Set<string>()
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (node.kind !== 'variable' || set.has(node.name) || told.has(node.name)) return
          const near = /^acl_[cm]_\w/.test(node.name)
            ? [...set].find((each) => isSlip(node.name, each))
            : undefined
          if (near === undefined) return
          told.add(node.name)
          report({
            code: 'variable-unset',
            severity: 'warning',
            message: `nothing sets $${node.name}: it is empty`,
            at: text.span(node.start, node.end),
            help: `did you mean "${near}"?`,
          })
        },
      })
    }
  },
}

/** Numbers tell variables apart; short names are alike by chance. */
function isSlip(read: string, set: string): boolean {
  if (read.replaceAll(/\d/g, '') === set.replaceAll(/\d/g, '') || !/^acl_[cm]_/.test(set)) return false
  return Math.min(read.length, set.length) >= 'acl_m_'.length + 4 && editDistance(read, set) === 1
}
