/** An explanation for a terminal: first what was decided and where, then every step, indented. */
import type { TraceNode } from '../../../server/trace.ts'
import { type Decision, refusals } from './deciding.ts'

const mostColumns = 160

export function renderExplanation(root: TraceNode): string {
  const refused = refusals(root)
  const head = refused.length === 0 ? 'Nothing was refused.\n' : refused.map(renderDecision).join('\n')
  return `${head}\nEvery step:\n${(root.children ?? []).map((node) => renderNode(node, '')).join('')}`
}

export function renderDecision({ command, statement, conditions, routers }: Decision): string {
  const lines = [`${command.what}\n  answered ${(command.result ?? '').split('\n').join('\n           ')}`]
  if (statement === undefined) lines.push('  no ACL statement decided this')
  else {
    lines.push(`  by "${statement.what}" in ${place(statement)}`)
    for (const condition of conditions)
      lines.push(`    ${condition.what}\n      -> ${condition.result ?? ''}`)
  }
  for (const router of routers) lines.push(`  ${router.result ?? router.what} (${place(router)})`)
  return `${lines.join('\n')}\n`
}

export function place({ file, line, column }: TraceNode): string {
  if (file === undefined) return 'no file'
  return `${file}:${line}${column === undefined ? '' : `:${column}`}`
}

function renderNode(node: TraceNode, indent: string): string {
  const at = node.file === undefined ? '' : `  (${place(node)})`
  const took = (node.took ?? 0) >= 1 ? `  ${(node.took ?? 0).toFixed(0)} ms` : ''
  const result = node.result === undefined || node.result === '' ? '' : ` -> ${oneLine(node.result)}`
  const children = (node.children ?? []).map((child) => renderNode(child, `${indent}  `)).join('')
  const rest = node.leftOut === undefined ? '' : `${indent}  ... ${node.leftOut} more steps\n`
  return `${indent}${node.kind} ${oneLine(node.what)}${result}${took}${at}\n${children}${rest}`
}

function oneLine(text: string): string {
  const flat = text.replaceAll('\n', ' | ')
  return flat.length > mostColumns ? `${flat.slice(0, mostColumns)}...` : flat
}
