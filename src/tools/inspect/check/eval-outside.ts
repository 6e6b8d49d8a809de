/**
 * What a stranger writes, calculated with: `${eval:$h_x-score:}`. Observed of Exim 4.96: it is no matter of taint, but what is no
 * expression fails, and what is empty, too; an ACL then answers 451, a router defers.
 */
import type { Node, Template } from '../../../language/expand/tree.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { walk } from './walk.ts'

/** From outside, and a number all the same. */
const numbers =
  /^(?:dkim_(?:bodylength|created|expires|key_length|key_nosubdomains|key_testing)|spam_score_int|sender_host_port)$/

export const evalOutside: Check = {
  name: 'eval-outside',
  doc: 'Data from outside that is calculated with, and that nobody has looked at.',
  run(subject, report) {
    const kept = keptFromOutside(subject)
    for (const owned of subject.texts) {
      const { tree, text } = owned
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (!isEval(node)) return
          for (const { start, end, name, from } of sources(node.body, kept)) {
            if (isAskedFor(name, owned, subject)) continue
            report({
              code: 'eval-outside',
              severity: 'warning',
              message: `${name} holds what comes from outside${from === undefined ? '' : `, ${from},`} and is calculated with: where it is no number ${fate(owned)}`,
              at: text.span(start, end),
              help: `look at it first, \${if match{${name}}{\\N^\\d+$\\N}{\${${node.name}:...}}{0}}, or keep its digits alone: \${sg{0${name}}{\\N\\D\\N}{}}`,
            })
          }
        },
      })
    }
  },
}

function fate({ owner }: OwnedText): string {
  if (owner.in === 'acl') return 'the answer is 451'
  if (owner.in === 'router' || owner.in === 'transport') return 'the message waits'
  return 'the expansion fails'
}

interface Found {
  readonly name: string
  readonly start: number
  readonly end: number
  /** Where an ACL variable has it from. */
  readonly from?: string | undefined
}

/** Those that stand in the expression as they are: what a lookup or ${sg gives may be a number. */
function sources(body: Template, kept: ReadonlyMap<string, string>): readonly Found[] {
  return body.nodes.flatMap((node) => {
    const name = nameFromOutside(node)
    if (name !== undefined) return [{ name, start: node.start, end: node.end }]
    if (node.kind !== 'variable' || !kept.has(node.name)) return []
    return [{ name: `$${node.name}`, start: node.start, end: node.end, from: kept.get(node.name) }]
  })
}

function nameFromOutside(node: Node): string | undefined {
  if (node.kind === 'header') return `$${node.form}_${node.name}:`
  if (node.kind !== 'variable' || !node.row.tainted || node.row.get === undefined) return undefined
  return numbers.test(node.name) ? undefined : `$${node.name}`
}

/** ACL variables that some statement sets to such a text, by name. */
function keptFromOutside({ acls, texts }: Subject): ReadonlyMap<string, string> {
  const trees = new Map(texts.map(({ text, tree }) => [text, tree]))
  const found = new Map<string, string>()
  for (const { statements } of acls)
    for (const { clauses } of statements)
      for (const { variable, argument } of clauses) {
        const [only, ...more] = trees.get(argument)?.nodes ?? []
        const name = only === undefined || more.length > 0 ? undefined : nameFromOutside(only)
        if (variable !== '' && name !== undefined) found.set(variable, name)
      }
  return found
}

/** A condition of the same ACL, router or transport looks at it. */
function isAskedFor(name: string, { owner }: OwnedText, { texts }: Subject): boolean {
  const place = (one: OwnedText['owner']): unknown =>
    one.in === 'acl' ? one.acl : 'instance' in one ? one.instance : one
  return texts.some(
    ({ tree, owner: other }) => tree !== undefined && place(other) === place(owner) && asksFor(tree, name),
  )
}

/** Not by calculating with it. */
function asksFor(tree: Template, name: string): boolean {
  const calculated = new Set<Node>()
  let found = false
  const seen = (node: Node): void => {
    if (isEval(node)) walk(node.body, { node: (inner) => void calculated.add(inner) })
    if (!calculated.has(node) && isNamed(node, name)) found = true
  }
  walk(tree, {
    condition({ parts }) {
      for (const each of parts.arguments) walk(each, { node: seen })
    },
  })
  return found
}

function isEval(node: Node): node is Node & { readonly kind: 'operator' } {
  return node.kind === 'operator' && (node.name === 'eval' || node.name === 'eval10')
}

function isNamed(node: Node, name: string): boolean {
  if (node.kind === 'header') return name.toLowerCase().endsWith(`_${node.name.toLowerCase()}:`)
  return node.kind === 'variable' && `$${node.name}` === name
}
