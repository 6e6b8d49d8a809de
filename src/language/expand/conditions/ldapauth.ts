import { withoutQuery } from '../../../base/outcome.ts'
import { failure } from '../environment.ts'
import type { LookupResult } from '../../../ports.ts'
import { stringCondition } from './kinds.ts'

/** Source: Exim manual, "Expansion conditions", ldapauth. */
export const ldapauth = stringCondition({
  name: 'ldapauth',
  doc: 'True when an LDAP server takes the user and password of the query.',
  since: '0.1',
  manual: 'Expansion conditions',
  count: 1,
  test([query = ''], environment) {
    const conclude = (result: LookupResult) => {
      switch (result.is) {
        case 'found':
          return true
        case 'none':
          return false
        default:
          return failure(withoutQuery(result.message))
      }
    }
    // A login is asked anew each time.
    const request = { type: 'ldapauth', options: 'cache=no_rd', key: query }
    const result = environment.context.ports.lookup(request, environment.scope())
    return result instanceof Promise ? result.then(conclude) : conclude(result)
  },
})
