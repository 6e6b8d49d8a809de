/** `condition` of ACLs and routers: text around the expansion that makes it anything but a boolean. */
import type { Report } from '../../../base/diagnostic.ts'
import type { Template } from '../../../language/expand/tree.ts'
import type { Check, OwnedText } from './subject.ts'

export const conditionValues: Check = {
  name: 'condition-values',
  doc: 'Values of "condition" that never are a boolean.',
  run({ texts }, report) {
    for (const owned of texts) {
      const { owner, tree } = owned
      if (tree === undefined) continue
      if (owner.in === 'acl' && owner.row === 'condition') judgeAcl(owned, tree, report)
      if (owner.in === 'router' && owner.option === 'condition') judgeRouter(owned, tree, report)
    }
  },
}

/** A constant is judged elsewhere, with the other words of the ACL. */
function judgeAcl({ text }: OwnedText, tree: Template, report: Report): void {
  const at = tree.nodes.some(({ kind }) => kind !== 'text') ? strange(text.text, tree) : undefined
  if (at === undefined) return
  report({
    code: 'acl-condition-value',
    severity: 'error',
    message: `invalid "condition" value: "${pieceAt(text.text, at)}" is in no boolean`,
    at: text.span(at, at + pieceAt(text.text, at).length),
    help: helpFor(text.text, at),
  })
}

function judgeRouter({ text }: OwnedText, tree: Template, report: Report): void {
  const at = strange(text.text, tree)
  if (at === undefined) return
  report({
    code: 'router-condition',
    severity: 'warning',
    message: `this condition always holds: with "${pieceAt(text.text, at)}" in it, it is never empty, 0, no or false`,
    at: text.span(at, at + pieceAt(text.text, at).length),
    help: helpFor(text.text, at),
  })
}

/** Where the first character stands, outside of expansions, that is in no boolean. */
function strange(text: string, { nodes }: Template): number | undefined {
  if (/^\s*if\s/.test(text)) return text.indexOf('if')
  for (const node of nodes) {
    if (node.kind !== 'text') continue
    const found = /[^\w\s+-]/.exec(text.slice(node.start, node.end))
    if (found !== null) return node.start + found.index
  }
  return undefined
}

function pieceAt(text: string, at: number): string {
  return text.startsWith('if', at) ? 'if' : text.charAt(at)
}

function helpFor(text: string, at: number): string {
  if (text.startsWith('if', at)) return 'write ${if CONDITION {yes}{no}}'
  if (text.startsWith('{if', at)) return 'a dollar sign stands before the brace: ${if ...}'
  if (text.charAt(at) === '!') return 'write ${if !CONDITION ...}; in an ACL also "!condition = ..."'
  if (/[{}]/.test(text.charAt(at)) && at > 0)
    return 'the item before it ends too early: ${if CONDITION {yes}{no}}'
  return 'nothing but the expansion may stand here: ${if CONDITION {yes}{no}}'
}
