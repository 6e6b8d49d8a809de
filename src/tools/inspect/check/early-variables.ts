/** Variables of the address and of the message in ACLs that run before, or after, there is such a thing. */
import type { AclPlace } from '../../../ports.ts'
import type { Node } from '../../../language/expand/tree.ts'
import { aclOptions } from '../../../policy/acl/check.ts'
import { placeNames } from '../../../policy/acl/place.ts'
import type { Acl } from '../../../policy/acl/statement.ts'
import type { Check, OwnedText, Subject } from './subject.ts'
import { walk } from './walk.ts'

interface Rule {
  readonly names: RegExp
  /** Where they are empty, whatever the client says. */
  readonly empty: readonly AclPlace[]
  readonly help: string
}

const rules: readonly Rule[] = [
  {
    names: /^sender_helo_name$/,
    empty: ['connect'],
    help: 'the client has not said its name yet: acl_smtp_helo is the first to know it',
  },
  {
    names: /^sender_address(?:_domain|_local_part)?$/,
    empty: ['connect', 'helo'],
    help: 'acl_smtp_mail is the first to know the sender',
  },
  {
    names: /^(?:domain|local_part)$/,
    empty: ['connect', 'helo', 'mail', 'predata', 'data'],
    help: 'there is a recipient in acl_smtp_rcpt alone; later $recipients holds them all',
  },
  {
    names: /^message_body(?:_end|_size)?$/,
    empty: ['connect', 'helo', 'mail', 'rcpt', 'predata'],
    help: 'the message has not come yet: acl_smtp_data is the first to know it',
  },
]
const headers: Rule = {
  names: /^/,
  empty: ['connect', 'helo', 'mail', 'rcpt', 'predata'],
  help: 'the headers have not come yet: acl_smtp_data is the first to know them',
}

export const earlyVariables: Check = {
  name: 'early-variables',
  doc: 'Variables of sender, recipient and message in ACLs that run without them.',
  run(subject, report) {
    const places = placesOf(subject)
    if (places === undefined) return
    for (const owned of subject.texts) {
      if (owned.owner.in !== 'acl' || owned.tree === undefined) continue
      const here = places.get(owned.owner.acl)
      if (here === undefined) continue
      const seen = (node: Node): void => judge(node, owned, here, report)
      walk(owned.tree, { node: seen })
    }
  },
}

function judge(
  node: Node,
  { text }: OwnedText,
  places: ReadonlySet<AclPlace>,
  report: Parameters<Check['run']>[1],
): void {
  const name = node.kind === 'variable' ? node.name : undefined
  const rule =
    node.kind === 'header' ? headers : rules.find(({ names }) => name !== undefined && names.test(name))
  if (rule === undefined || (node.kind !== 'variable' && node.kind !== 'header')) return
  const [place] = places
  if (place === undefined || ![...places].every((each) => rule.empty.includes(each))) return
  const written = text.text.slice(node.start, node.end)
  report({
    code: 'variable-unset',
    severity: 'warning',
    message: `${written} is always empty in the ${placeNames[place]} ACL`,
    at: text.span(node.start, node.end),
    help: rule.help,
  })
}

/** From where each ACL is reached. Undefined when one is chosen while mail comes in: then nothing is known. */
function placesOf({
  configuration,
  acls,
  texts,
}: Subject): ReadonlyMap<Acl, ReadonlySet<AclPlace>> | undefined {
  if (
    texts.some(
      ({ tree, owner }) => (owner.in === 'acl' && owner.row === 'acl' && isComputed(tree)) || calls(tree),
    )
  )
    return undefined
  const byName = new Map(acls.map((acl) => [acl.name, acl]))
  const found = new Map<Acl, Set<AclPlace>>()
  const reach = (name: string, place: AclPlace): void => {
    const acl = byName.get(name)
    if (acl === undefined) return
    const places = found.get(acl) ?? new Set()
    if (places.has(place)) return
    found.set(acl, places.add(place))
    for (const { clauses } of acl.statements)
      for (const { row, words } of clauses)
        if (row.name === 'acl' && words[0] !== undefined) reach(words[0].text.trim(), place)
  }
  for (const [option, place] of Object.entries(aclOptions)) {
    const value = configuration.main[option as keyof typeof aclOptions]
    if (value === undefined || !configuration.mainSetAt.has(option)) continue
    if (value.text.includes('$')) return undefined
    reach(value.text.trim(), place)
  }
  return found
}

function isComputed(tree: OwnedText['tree']): boolean {
  return tree?.nodes.some(({ kind }) => kind !== 'text') === true
}

/** `${acl{...}}` may stand anywhere, in a list or a router too. */
function calls(tree: OwnedText['tree']): boolean {
  let found = false
  if (tree !== undefined)
    walk(tree, {
      node(node) {
        if (node.kind === 'item' && node.name === 'acl') found = true
      },
      condition({ name }) {
        if (name === 'acl') found = true
      },
    })
  return found
}
