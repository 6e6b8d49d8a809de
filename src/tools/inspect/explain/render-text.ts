/** An explanation for a terminal: first what was decided and where, then every step, indented. */
import type { TraceNode } from '../../../server/trace.ts'
import { all, type Decision, decisions, resultOf, settlingRouter, statementText } from './deciding.ts'
import { linesAround } from './source-lines.ts'

/** Lines of a file of the configuration; undefined when it cannot be read. */
export type Source = (file: string) => readonly string[] | undefined

const mostColumns = 160

/** @param every all steps too, after the decisions */
export function renderExplanation(root: TraceNode, source: Source, every: boolean = true): string {
  const decided = decisions(root)
  const refused = decided.filter(({ outcome }) => outcome !== 'accepted')
  const accepted = decided.filter(isWorthTelling)
  const head = [
    ...refused.map((each) => renderDecision(each, source)),
    ...(refused.length === 0 && !isDelivery(root) ? ['Nothing was refused.\n'] : []),
    ...accepted.map(renderAccepted),
    ...outcomes(root).map(({ title, result }) => `${oneLine(title)}\n${indented(result, '  ')}\n`),
  ]
  const steps = every
    ? `\nEvery step:\n${(root.children ?? []).map((node) => renderNode(node, '')).join('')}`
    : ''
  return `${head.join('\n')}${steps}`
}

/** That a greeting was answered says nothing. */
export function isWorthTelling({ command, outcome }: Decision): boolean {
  return outcome === 'accepted' && /^(?:RCPT|AUTH|\(the message|BDAT)/i.test(command.what)
}

function isDelivery(root: TraceNode): boolean {
  return (root.children ?? []).every(({ kind }) => kind !== 'command')
}

/** What became of an address, of a message in the system filter, or of a delivery. */
export interface Outcome {
  readonly title: string
  readonly result: string
}

/** Where accepted recipients would go, and what transports made of them, each with what decided it. */
export function outcomes(root: TraceNode): Outcome[] {
  return (root.children ?? []).flatMap((node) => {
    const { kind, what, result = '' } = node
    const title = `${kind} of ${what}`
    switch (kind) {
      case 'filter':
        return [{ title: what, result: [result, ...obeyed(node, '')].join('\n') }]
      case 'transport':
        return [
          { title, result: `${tried(node)}\nby transport ${what.replace(/ to .*/s, '')}${where(node)}` },
        ]
      case 'address':
        return [{ title, result: [result, ...byRouter(node, '')].join('\n') }]
      case 'routing':
        return [
          {
            title,
            result: [result, ...all(node, 'address').flatMap((one) => byRouter(one, one.what))].join('\n'),
          },
        ]
      default:
        return []
    }
  })
}

/** The commands of a filter that were obeyed. */
function obeyed(node: TraceNode, indent: string): string[] {
  const commands = all(node, 'filter')
  const more = commands.length - mostCommands
  return [
    ...commands.slice(0, mostCommands).map((one) => `${indent}${one.what} (${one.result ?? ''})`),
    ...(more > 0 ? [`${indent}... and ${more} more commands of the filter`] : []),
  ]
}

const mostCommands = 10

function byRouter(address: TraceNode, name: string): string[] {
  const router = settlingRouter(address)
  return router === undefined
    ? []
    : [`${name === '' ? '' : `${name}: `}by router ${router.what}${where(router)}`, ...obeyed(router, '  ')]
}

/** The hosts that a transport tried, the dialogue with those that did not take it, and what became of each address. */
function tried({ children = [], result = '' }: TraceNode): string {
  const lines = children.flatMap((child) => {
    if (child.kind === 'host') return [told(child), ...dialogueOf(child)]
    return child.kind === 'reply' ? [told(child)] : []
  })
  return lines.length === 0 ? result : lines.join('\n')
}

function told({ what, result = '' }: TraceNode): string {
  return `${what}: ${result}`
}

const mostOfDialogue = 20

function dialogueOf({ children = [], result }: TraceNode): string[] {
  if (result === 'took it') return []
  const said = children.filter(({ kind }) => kind === 'sent' || kind === 'tls')
  const more = said.length - mostOfDialogue
  return [
    ...(more > 0 ? [`    ... ${more} before`] : []),
    ...said
      .slice(-mostOfDialogue)
      .map(({ what, result: answer = '' }) => `    ${what}${answer === '' ? '' : ` -> ${oneLine(answer)}`}`),
  ]
}

export function renderDecision(decision: Decision, source: Source): string {
  const { command, statement, calledFrom, conditions, inVain, routers, evidence, outcome } = decision
  const answer = indented(command.result ?? '', '           ').trimStart()
  const lines = [
    `${command.what}\n  answered ${answer}${outcome === 'discarded' ? ' (and throws it away)' : ''}`,
  ]
  if (statement === undefined) {
    lines.push('  no ACL statement decided this')
    for (const each of evidence) lines.push(`  ${each.kind}: ${oneLine(each.what)}${where(each)}`)
  } else {
    lines.push(`  decided by "${oneLine(statementText(statement))}" in ${place(statement)}`)
    for (const outer of calledFrom)
      lines.push(`  called by "${oneLine(statementText(outer))}" in ${place(outer)}`)
    lines.push(...sourceOf(statement, source))
    for (const { node, saw } of conditions) {
      lines.push(`    ${oneLine(node.what)}  -> ${oneLine(node.result ?? '')}`)
      for (const each of saw) lines.push(`        ${oneLine(each)}`)
    }
    if (inVain.length > 0) lines.push('  before it, these did not accept:')
    for (const { statement: other, unmet } of inVain) {
      lines.push(`    "${oneLine(statementText(other))}" in ${place(other)}`)
      lines.push(`      ${oneLine(unmet.node.what)}  -> ${oneLine(unmet.node.result ?? '')}`)
      for (const each of unmet.saw) lines.push(`          ${oneLine(each)}`)
    }
  }
  for (const router of routers) lines.push(`  ${oneLine(router.result ?? router.what)} (${place(router)})`)
  return `${lines.join('\n')}\n`
}

function renderAccepted({ command, statement }: Decision): string {
  const by =
    statement === undefined ? '' : `, by "${oneLine(statementText(statement))}" in ${place(statement)}`
  return `${command.what}\n  answered ${oneLine(command.result ?? '')}${by}\n`
}

function sourceOf({ file, line }: TraceNode, source: Source): string[] {
  if (file === undefined || line === undefined) return []
  const lines = linesAround(source(file) ?? [], line)
  const wide = String(lines.at(-1)?.number ?? 0).length
  return lines.map(
    ({ number, text, decides }) =>
      `    ${decides ? '>' : ' '} ${String(number).padStart(wide)} | ${printable(text)}`,
  )
}

export function place({ file, line, column }: TraceNode): string {
  if (file === undefined) return 'no file'
  return `${file}:${line}${column === undefined ? '' : `:${column}`}`
}

function where(node: TraceNode): string {
  return node.file === undefined ? '' : ` (${place(node)})`
}

function renderNode(node: TraceNode, indent: string): string {
  const took = (node.took ?? 0) >= 1 ? `  ${(node.took ?? 0).toFixed(0)} ms` : ''
  const came = resultOf(node)
  const result = came === '' ? '' : ` -> ${oneLine(came)}`
  const children = (node.children ?? []).map((child) => renderNode(child, `${indent}  `)).join('')
  const rest = node.leftOut === undefined ? '' : `${indent}  ... ${node.leftOut} more steps\n`
  return `${indent}${node.kind} ${oneLine(node.what)}${result}${took}${where(node)}\n${children}${rest}`
}

function indented(text: string, by: string): string {
  return text
    .split('\n')
    .map((line) => `${by}${printable(line)}`)
    .join('\n')
}

export function oneLine(text: string): string {
  const flat = printable(text.replaceAll('\n', ' | '))
  return flat.length > mostColumns ? `${flat.slice(0, mostColumns)}...` : flat
}

/** What a message brings may hold what moves a terminal's cursor. */
function printable(text: string): string {
  return text.replaceAll(/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (each) =>
    each === '\t' ? ' ' : `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
