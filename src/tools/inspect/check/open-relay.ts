/** Patterns that let strangers send mail to anywhere through this host. */
import { createListMatcher } from '../../../language/lists/index.ts'
import { textOf } from '../../../base/text.ts'
import type { Clause, Statement } from '../../../policy/acl/statement.ts'
import type { Check, Subject } from './subject.ts'

/** Conditions that, when they hold, say something about who sends or who receives. */
const narrowing = new Set(
  'acl authenticated condition dnslists domains encrypted hosts local_parts recipients sender_domains senders verify spf ratelimit seen malware'.split(
    ' ',
  ),
)

export const openRelay: Check = {
  name: 'open-relay',
  doc: 'An ACL for RCPT that accepts any recipient from anybody.',
  run(subject, report) {
    const { configuration, acls } = subject
    const setting = configuration.main.acl_smtp_rcpt
    if (setting === undefined) return
    const acl = acls.find((each) => each.name === setting.text.trim())
    if (acl === undefined) return
    for (const statement of acl.statements) {
      if (statement.verb === 'accept' && opensAll(statement, subject)) {
        report({
          code: 'open-relay',
          severity: 'warning',
          message: `this statement accepts any recipient from anybody${acl.name === undefined ? '' : ` (ACL ${acl.name})`}: an open relay`,
          at: statement.at,
          help: 'accept only "domains = +local_domains : +relay_to_domains", "hosts = +relay_from_hosts" or "authenticated = *"',
        })
        return
      }
      // From here on somebody has been refused, or the recipient is narrowed: no judgement.
      if (statement.verb !== 'warn' && refusesSome(statement)) return
    }
  },
}

/** No condition at all, or only such as always hold. */
function opensAll({ clauses, broken }: Statement, subject: Subject): boolean {
  return (
    !broken &&
    clauses.filter(({ row }) => row.kind === 'condition').every((clause) => alwaysTrue(clause, subject))
  )
}

function alwaysTrue({ row, negated, argument }: Clause, subject: Subject): boolean {
  if (negated || !narrowing.has(row.name)) return false
  if (row.name === 'hosts') return matchesAllHosts(argument.text, subject, 0)
  if (row.name === 'domains') return argument.text.trim() === '*'
  return false
}

function matchesAllHosts(list: string, subject: Subject, depth: number): boolean {
  if (list.includes('$') || depth > 10) return false
  for (const each of createListMatcher().splitList(list)) {
    const item = textOf(each).trim()
    if (item.startsWith('!')) return false
    if (item === '*' || item === '0.0.0.0/0' || item === '::/0') return true
    const named = item.startsWith('+') ? subject.configuration.namedLists.host.get(item.slice(1)) : undefined
    if (named !== undefined && matchesAllHosts(named.value.text, subject, depth + 1)) return true
  }
  return false
}

function refusesSome({ verb }: Statement): boolean {
  return verb === 'deny' || verb === 'require' || verb === 'drop' || verb === 'defer' || verb === 'discard'
}
