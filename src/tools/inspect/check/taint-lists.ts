/**
 * Lists that a stranger writes: a header, or all recipients, as the list that decides. Postern takes separators, `!`, lookups
 * and patterns from outside for plain characters, so such a list does not do what it seems to.
 */
import type { Node, Template } from '../../../language/expand/tree.ts'
import type { Check, OwnedText } from './subject.ts'

const routerLists = new Set(['domains', 'local_parts', 'senders', 'ignore_target_hosts'])
const aclLists = new Set([
  'authenticated',
  'domains',
  'encrypted',
  'hosts',
  'local_parts',
  'recipients',
  'sender_domains',
  'senders',
])

export const taintedLists: Check = {
  name: 'tainted-lists',
  doc: 'Text that a stranger writes as a list that decides.',
  run({ texts }, report) {
    for (const owned of texts) {
      const { tree, text } = owned
      if (tree === undefined || !isList(owned)) continue
      for (const { name, start, end } of sources(tree)) {
        report({
          code: 'taint-list',
          severity: 'warning',
          message: `${name} comes from outside and becomes a list: its separators, "!" and patterns are plain characters here`,
          at: text.span(start, end),
          help: 'compare items one by one with ${if forany{...}}, or look them up in a list of your own',
        })
      }
    }
  },
}

/** A text that is a list which decides. */
export function isList({ owner }: OwnedText): boolean {
  if (owner.in === 'router') return routerLists.has(owner.option)
  return owner.in === 'acl' ? aclLists.has(owner.row) : owner.in === 'list'
}

/** A single address or name from outside may be one item of a list; what holds several is meant as a list. */
function sources(tree: Template): { readonly name: string; readonly start: number; readonly end: number }[] {
  return tree.nodes.flatMap((node: Node) => {
    if (node.kind === 'header') {
      return [{ name: `$${node.form}_${node.name}:`, start: node.start, end: node.end }]
    }
    if (node.kind === 'variable' && /^(?:recipients|message_headers(?:_raw)?)$/.test(node.name)) {
      return [{ name: `$${node.name}`, start: node.start, end: node.end }]
    }
    return []
  })
}
