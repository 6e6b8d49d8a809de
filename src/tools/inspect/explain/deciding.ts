/** From a whole explanation to the one thing that decided: what the first screen shows. */
import type { TraceNode } from '../../../server/trace.ts'

export interface Decision {
  /** The command that was answered. */
  readonly command: TraceNode
  /** The statement that decided; undefined when no ACL did. */
  readonly statement: TraceNode | undefined
  /** The conditions of that statement, with what each saw. */
  readonly conditions: readonly TraceNode[]
  /** Of an address that could not be routed: the routers that were asked. */
  readonly routers: readonly TraceNode[]
}

/** The commands that were refused (4xx, 5xx), each with what decided it. */
export function refusals(root: TraceNode): Decision[] {
  return (root.children ?? [])
    .filter(({ kind, result }) => kind === 'command' && /^[45]/.test(result ?? ''))
    .map(decisionOf)
}

export function decisionOf(command: TraceNode): Decision {
  const statement = lastDeciding(command)
  return {
    command,
    statement,
    conditions: (statement?.children ?? []).filter(({ kind }) => kind === 'condition'),
    routers: all(command, 'router'),
  }
}

/** The last statement that did not hand on to the next one, innermost first. */
function lastDeciding(node: TraceNode): TraceNode | undefined {
  for (const child of [...(node.children ?? [])].reverse()) {
    const inner = lastDeciding(child)
    if (inner !== undefined) return inner
    if (child.kind === 'statement' && child.result !== 'goes on' && child.result !== 'accept') return child
  }
  return undefined
}

function all(node: TraceNode, kind: TraceNode['kind']): TraceNode[] {
  return (node.children ?? []).flatMap((child) => [
    ...(child.kind === kind ? [child] : []),
    ...all(child, kind),
  ])
}
