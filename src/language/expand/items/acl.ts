import { Failure, isFailure, type Awaitable, type Outcome } from '../../../base/outcome.ts'
import { textOf, type Text } from '../../../base/text.ts'
import type { AclResult } from '../../../ports.ts'
import { failure, refuseTainted, type Environment } from '../environment.ts'
import type { ItemRow } from '../rows.ts'
import { plainItem } from './kinds.ts'

/** Calls an ACL; its name may not come from outside. */
export function callAcl(values: readonly Text[], environment: Environment): Awaitable<AclResult | Failure> {
  const [name = '', ...list] = values
  const refused = refuseTainted(name, 'ACL')
  if (refused !== undefined) return refused
  return environment.context.ports.runAcl(name, 'unknown', environment.scope(), list)
}

export const acl: ItemRow = plainItem({
  name: 'acl',
  doc: 'Calls an ACL; the result is the message it sets.',
  since: '0.1',
  manual: 'Expansion items',
  least: 1,
  most: 10,
  apply(values, environment) {
    const conclude = (result: AclResult | Failure): Outcome => {
      if (isFailure(result)) return result
      const name = textOf(values[0] ?? '')
      switch (result.verdict) {
        case 'accept':
        case 'deny':
        case 'discard':
          return result.userMessage ?? ''
        case 'defer':
          return new Failure('forced', `${name} deferred`)
        default:
          return failure(`${result.verdict.toUpperCase()} from acl "${name}"`)
      }
    }
    const result = callAcl(values, environment)
    return result instanceof Promise ? result.then(conclude) : conclude(result)
  },
})
