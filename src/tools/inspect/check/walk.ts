/** Walks over the tree of an expansion: every node and every condition, outermost first. */
import type { Branches, ConditionNode, Node, Template } from '../../../language/expand/tree.ts'

export interface Visitor {
  node?(node: Node): void
  condition?(node: ConditionNode): void
}

export function walk(template: Template, visitor: Visitor): void {
  for (const node of template.nodes) {
    visitor.node?.(node)
    if (node.kind === 'operator') walk(node.body, visitor)
    if (node.kind !== 'item') continue
    for (const argument of node.parts.arguments) walk(argument, visitor)
    if (node.parts.condition !== undefined) walkCondition(node.parts.condition, visitor)
    for (const branch of branchesOf(node.parts.branches)) walk(branch, visitor)
  }
}

function walkCondition(node: ConditionNode, visitor: Visitor): void {
  visitor.condition?.(node)
  for (const argument of node.parts.arguments) walk(argument, visitor)
  for (const inner of node.parts.conditions ?? []) walkCondition(inner, visitor)
}

export function branchesOf(branches: Branches | undefined): Template[] {
  return [branches?.yes, branches?.no].filter((each) => typeof each === 'object')
}

/** Whether a condition of this name is asked anywhere in it. */
export function asks(template: Template, condition: string): boolean {
  let found = false
  walk(template, {
    condition({ name }) {
      found ||= name === condition
    },
  })
  return found
}

/** The text of a template in which nothing is expanded; undefined when something is. */
export function constantText(template: Template | undefined): string | undefined {
  if (template === undefined) return undefined
  let text = ''
  for (const node of template.nodes) {
    if (node.kind !== 'text') return undefined
    text += node.text
  }
  return text
}
