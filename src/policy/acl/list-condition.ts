/** What conditions that test a list have in common. */
import { after, type Awaitable, withoutQuery } from '../../base/outcome.ts'
import type { Text } from '../../base/text.ts'
import type { ListResult } from '../../ports.ts'
import { FALSE, TRUE, type Tested } from './row.ts'

/**
 * A list's result as a condition's.
 * @param keep takes the data of a match, undefined when there is none: `$domain_data` and its kin
 */
export function asTested(
  result: Awaitable<ListResult>,
  keep?: (data: Text | undefined) => void,
): Awaitable<Tested> {
  return after(result, (found): Tested => {
    switch (found.is) {
      case 'match':
        keep?.(found.data)
        return TRUE
      case 'no':
        keep?.(undefined)
        return FALSE
      case 'defer':
        return { is: 'defer', logMessage: found.message === '' ? undefined : withoutQuery(found.message) }
      // The list matcher has logged what is wrong with the list; Exim says no more here.
      case 'failure':
        return { is: 'defer' }
    }
  })
}

/** Sets or unsets a variable of the session. */
export function keepVariable(variables: Map<string, Text>, name: string): (data: Text | undefined) => void {
  return (data) => {
    if (data === undefined) variables.delete(name)
    else variables.set(name, data)
  }
}
