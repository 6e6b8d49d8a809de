import { asTested } from '../list-condition.ts'
import { FALSE, type ListCondition } from '../row.ts'

export const encrypted: ListCondition = {
  kind: 'condition',
  name: 'encrypted',
  doc: 'True when the connection is encrypted with one of the listed ciphers.',
  since: '0.1',
  tier: 'A',
  argument: 'list',
  list: 'string',
  phases: { except: ['notsmtp', 'notsmtp_start', 'helo'] },
  run({ context }, list) {
    const cipher = context.connection?.tls?.cipher
    if (cipher === undefined) {
      context.trace?.note('variable', 'the connection', 'has no TLS')
      return FALSE
    }
    return asTested(context.ports.matchList('string', list, cipher, context))
  },
}
