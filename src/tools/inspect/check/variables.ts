/** Variables by an older name, and variables that are read where nothing can have set them yet. */
import type { Node } from '../../../language/expand/tree.ts'
import { aclOptions } from '../../../policy/acl/check.ts'
import type { Acl, Clause } from '../../../policy/acl/statement.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { walk } from './walk.ts'

/** Names that a text of 2014 had wrong. */
const wronglyWritten: Readonly<Record<string, string>> = {
  domain_used_domain: 'dmarc_used_domain',
  proxy_host: 'proxy_local_address',
  default_hostname: 'primary_hostname',
}

export const oldVariables: Check = {
  name: 'old-variables',
  doc: 'Variables by the names of older releases.',
  run({ texts }, report) {
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (node.kind !== 'variable') return
          const today = wronglyWritten[node.name] ?? node.row.insteadUse
          if (today === undefined || today === node.name) return
          report({
            code: 'variable-renamed',
            severity: 'warning',
            message: `$${node.name} is an older name of $${today}`,
            at: text.span(node.start, node.end),
            help: `write $${today}`,
          })
        },
      })
    }
  },
}

/** Which condition sets variables, by how their names begin. */
const setters: readonly { readonly names: RegExp; readonly condition: string }[] = [
  { names: /^dmarc_(?!tld)/, condition: 'dmarc_status' },
  { names: /^spf_/, condition: 'spf' },
  { names: /^spam_/, condition: 'spam' },
  { names: /^malware_name$/, condition: 'malware' },
  { names: /^dnslist_/, condition: 'dnslists' },
  { names: /^sender_rate/, condition: 'ratelimit' },
]

/** ACLs in the order in which they see a message. */
const order = 'connect helo starttls auth mail rcpt predata dkim mime prdr data'.split(' ')

export const unsetVariables: Check = {
  name: 'unset-variables',
  doc: 'Variables that are read before anything can have set them.',
  run(subject, report) {
    const reached = aclsInOrder(subject)
    if (reached === undefined) return
    const owners = new Map(subject.texts.map((owned) => [owned.text, owned]))
    for (const { names, condition } of setters) {
      // Nothing is said where the condition may stand in an ACL that is chosen when a message comes.
      let set = false
      for (const { acl } of reached) {
        for (const { clauses } of acl.statements) {
          // What is told in the end is expanded then: `message` may stand before the condition.
          const inOrder = [...clauses].sort((a, b) => Number(isLater(a)) - Number(isLater(b)))
          for (const clause of inOrder) {
            const isSetter = clause.row.name === condition || clause.row.name === `${condition}_guess`
            if (isSetter || clause.row.name === 'acl') set = true
            if (set) break
            for (const text of clause.words.length > 0 ? clause.words : [clause.argument]) {
              const owned = owners.get(text)
              if (owned !== undefined) tellUnset(owned, names, condition, report)
            }
          }
          if (set) break
        }
        if (set) break
      }
    }
  },
}

function isLater({ row }: Clause): boolean {
  return row.argument === 'later'
}

/** Undefined when an option chooses its ACL by an expansion. */
function aclsInOrder({ configuration, acls }: Subject): { readonly acl: Acl }[] | undefined {
  const found: { readonly place: string; readonly acl: Acl }[] = []
  for (const [option, place] of Object.entries(aclOptions)) {
    const value = configuration.main[option as keyof typeof aclOptions]
    if (value === undefined || !configuration.mainSetAt.has(option)) continue
    if (value.text.includes('$')) return undefined
    const acl = acls.find((each) => each.name === value.text.trim())
    if (acl !== undefined && order.includes(place)) found.push({ place, acl })
  }
  return found.sort((a, b) => order.indexOf(a.place) - order.indexOf(b.place))
}

function tellUnset(
  { text, tree }: OwnedText,
  names: RegExp,
  condition: string,
  report: Parameters<Check['run']>[1],
): void {
  if (tree === undefined) return
  const seen = (node: Node): void => {
    if (node.kind !== 'variable' || !names.test(node.name)) return
    report({
      code: 'variable-unset',
      severity: 'warning',
      message: `$${node.name} is read here, but no "${condition}" has set it yet`,
      at: text.span(node.start, node.end),
      help: `put a statement with "${condition}" before this one`,
    })
  }
  walk(tree, { node: seen })
}
