/** Makes an explanation small enough for a page: first long texts are cut, then steps that decided nothing are left out. */
import type { TraceNode } from '../../../server/trace.ts'

/** Tried in order until the page is small enough. */
const measures: readonly ((root: TraceNode) => TraceNode)[] = [
  (root) => root,
  (root) => shortened(root, 500),
  (root) => shortened(pruned(root, 3), 300),
  (root) => shortened(pruned(root, 2), 160),
  (root) => shortened(counted(pruned(root, 1), 500), 120),
  (root) => shortened(counted(pruned(root, 0), 120), 80),
]

/** @param sizeOf how large the page would be with it */
export function fitting(root: TraceNode, most: number, sizeOf: (root: TraceNode) => number): TraceNode {
  for (const measure of measures) {
    const made = measure(root)
    if (sizeOf(made) <= most) return made
  }
  return counted(shortened(root, 40), Math.max(1, Math.floor(most / 1000)))
}

function shortened(node: TraceNode, longest: number): TraceNode {
  return {
    ...node,
    what: cut(node.what, longest),
    ...(node.result === undefined ? {} : { result: cut(node.result, longest) }),
    ...(node.children === undefined
      ? {}
      : { children: node.children.map((child) => shortened(child, longest)) }),
  }
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

/** Statements that handed on to the next one keep steps only to this depth. */
function pruned(node: TraceNode, depth: number): TraceNode {
  if (node.children === undefined) return node
  const dull = node.kind === 'statement' && node.result === 'goes on'
  if (dull) return shallow(node, depth)
  return { ...node, children: node.children.map((child) => pruned(child, depth)) }
}

function shallow(node: TraceNode, depth: number): TraceNode {
  const { children, ...rest } = node
  if (children === undefined) return node
  if (depth <= 0) return { ...rest, leftOut: (node.leftOut ?? 0) + children.length }
  return { ...rest, children: children.map((child) => shallow(child, depth - 1)) }
}

/** The first so many steps, what decided among them: parents come before their children. */
function counted(root: TraceNode, most: number): TraceNode {
  let left = most
  const take = (node: TraceNode): TraceNode => {
    const { children, ...rest } = node
    if (children === undefined) return node
    const kept: TraceNode[] = []
    for (const child of children) {
      if (left <= 0) break
      left--
      kept.push(take(child))
    }
    const gone = children.length - kept.length
    return {
      ...rest,
      children: kept,
      ...(gone === 0 ? {} : { leftOut: (node.leftOut ?? 0) + gone }),
    }
  }
  return take(root)
}
