/** Variables of the address and of the message in ACLs that run before, or after, there is such a thing. */
import type { Report } from '../../../base/diagnostic.ts'
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
/** Those that the runs of the DKIM ACL set. What is a number is left out: it is 0 or the largest one, not empty. */
const ofDkimRuns =
  /^dkim_(?:verify_(?:status|reason)|cur_signer|algo|canon_\w+|copiedheaders|domain|headernames|identity|key_notes|selector)$/
/** In deliveries they tell of signing. */
const ofSigning = /^dkim_(?:domain|selector)$/
const beforeDkim: readonly AclPlace[] = [
  'connect',
  'helo',
  'starttls',
  'auth',
  'mail',
  'mailauth',
  'rcpt',
  'predata',
  'notsmtp_start',
  'notsmtp',
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
    deliveredWithoutDkim(subject, report)
    const places = placesOf(subject)
    if (places === undefined) return
    const known = [...rules, ...dkimRules(subject)]
    for (const owned of subject.texts) {
      if (owned.owner.in !== 'acl' || owned.tree === undefined) continue
      const here = places.get(owned.owner.acl)
      if (here === undefined) continue
      const seen = (node: Node): void => judge(node, owned, here, known, report)
      walk(owned.tree, { node: seen })
    }
  },
}

function judge(
  node: Node,
  { text }: OwnedText,
  places: ReadonlySet<AclPlace>,
  known: readonly Rule[],
  report: Report,
): void {
  if (node.kind !== 'variable' && node.kind !== 'header') return
  const [place] = places
  if (place === undefined) return
  const candidates = node.kind === 'header' ? [headers] : known.filter(({ names }) => names.test(node.name))
  const rule = candidates.find(({ empty }) => [...places].every((each) => empty.includes(each)))
  if (rule === undefined) return
  const written = text.text.slice(node.start, node.end)
  report({
    code: 'variable-unset',
    severity: 'warning',
    message: `${written} is always empty in the ${placeNames[place]} ACL`,
    at: text.span(node.start, node.end),
    help: rule.help,
  })
}

/** The results of DKIM are there from the DKIM ACL on, those of its runs only when there is such an ACL. */
function dkimRules({ configuration }: Subject): readonly Rule[] {
  const help = 'DKIM is looked at when the message has come: acl_smtp_dkim is the first to know it'
  const early = [/^dkim_signers$/, ofDkimRuns].map((names): Rule => ({ names, empty: beforeDkim, help }))
  if (configuration.mainSetAt.has('acl_smtp_dkim')) return early
  const set = '"acl_smtp_dkim = accept" is enough'
  const never: Rule = {
    names: ofDkimRuns,
    empty: [...beforeDkim, 'mime', 'prdr', 'data'],
    help: `the runs of acl_smtp_dkim set it, and there is none: ${set}`,
  }
  return [...early, never]
}

/** Results of DKIM are not kept with the message; that of signing, $dkim_domain and $dkim_selector, are another matter. */
function deliveredWithoutDkim({ texts }: Subject, report: Report): void {
  for (const { text, tree, owner } of texts) {
    if (tree === undefined || (owner.in !== 'router' && owner.in !== 'transport')) continue
    walk(tree, {
      node(node) {
        if (node.kind !== 'variable' || ofSigning.test(node.name)) return
        if (!ofDkimRuns.test(node.name) && node.name !== 'dkim_signers') return
        report({
          code: 'variable-unset',
          severity: 'warning',
          message: `$${node.name} is not kept with the message: it is empty when that is delivered (Exim has it at the first attempt alone)`,
          at: text.span(node.start, node.end),
          help: `keep it in a variable of the message: "warn set acl_m_dkim = $${node.name}" in acl_smtp_data`,
        })
      },
    })
  }
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
