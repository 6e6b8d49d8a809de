/** Matching against regular expressions and lists. */
import { Expandable } from '../../../base/expandable.ts'
import { isFailure, type Awaitable, type Failure } from '../../../base/outcome.ts'
import { parseIp } from '../../../base/ip.ts'
import { isTainted, retaint, textOf, type Text } from '../../../base/text.ts'
import type { Context, ListResult } from '../../../ports.ts'
import { failure, type Environment } from '../environment.ts'
import { lowerCase } from '../letters.ts'
import type { ConditionRow } from '../rows.ts'
import { stringCondition } from './kinds.ts'

const manual = 'Expansion conditions'

const match = stringCondition({
  name: 'match',
  doc: 'True when the string matches the regular expression; sets $0, $1 ...',
  since: '0.1',
  manual,
  count: 2,
  test([subject, pattern], environment) {
    const regex = environment.engine.regex(textOf(pattern ?? ''))
    if (isFailure(regex)) return regex
    const found = regex.match(textOf(subject ?? ''))
    if (found === undefined) return false
    if ('error' in found) {
      // A text from outside that makes a pattern run away does not match, and the administrator is told.
      const said = `regular expression ${textOf(pattern ?? '')}: ${found.error}`
      environment.context.ports.log.panic(undefined, said)
      return false
    }
    environment.captures = capturesOf(subject ?? '', found)
    return true
  },
})

/** The texts of the groups; tainted when the subject is. */
export function capturesOf(subject: Text, found: readonly (string | undefined)[]): (Text | undefined)[] {
  if (!isTainted(subject)) return [...found]
  return found.map((group) => (group === undefined ? undefined : retaint(group, subject)))
}

const inlists = (['inlist', 'inlisti'] as const).map((name) =>
  stringCondition({
    name,
    doc: `True when the string is an item of the list${name === 'inlisti' ? ', letter case ignored' : ''}; sets $value.`,
    since: '0.1',
    manual,
    count: 2,
    test([subject, list], environment) {
      const fold = (text: Text) => (name === 'inlisti' ? lowerCase(textOf(text)) : textOf(text))
      const sought = fold(subject ?? '')
      const found = environment.context.ports.splitList(list ?? '').find((item) => fold(item) === sought)
      if (found === undefined) return false
      environment.value = found
      return true
    },
  }),
)

/** The second argument is taken as it stands; only `match_ip` expands it, as lists of hosts do. */
function listCondition(
  name: string,
  doc: string,
  ask: (subject: Text, list: Expandable, scope: Context) => Awaitable<ListResult> | Failure,
  captures: boolean,
): ConditionRow {
  return {
    name,
    doc,
    since: '0.1',
    manual,
    read(reader) {
      const subject = reader.argument(`missing { after "${name}"`)
      if (subject === undefined) return undefined
      const raw = reader.rawArgument(`missing 2nd string in {} after "${name}"`)
      return raw === undefined ? undefined : { arguments: [subject], raw }
    },
    compile(parts, compiler) {
      const [first] = parts.arguments
      const subject = first === undefined ? () => '' : compiler.template(first)
      const list = new Expandable(parts.raw ?? '', undefined, name)
      const conclude = (result: ListResult, environment: Environment, scope: Context): boolean | Failure => {
        switch (result.is) {
          case 'match':
            environment.value = result.data ?? ''
            if (captures) environment.captures = scope.captures
            return true
          case 'no':
            return false
          default:
            return failure(`unable to complete match against "${list.text}": ${result.message}`)
        }
      }
      const test = (value: Text | Failure, environment: Environment): Awaitable<boolean | Failure> => {
        if (isFailure(value)) return value
        const scope = environment.scope()
        const result = ask(value, list, scope)
        if (result instanceof Promise) return result.then((settled) => conclude(settled, environment, scope))
        return isFailure(result) ? result : conclude(result, environment, scope)
      }
      return (environment) => {
        const value = subject(environment)
        return value instanceof Promise
          ? value.then((settled) => test(settled, environment))
          : test(value, environment)
      }
    },
  }
}

/** Of domains and local parts `$0` is what matched, `$1` what the asterisk or the first group stood for. */
const lists: readonly ConditionRow[] = [
  listCondition(
    'match_address',
    'True when the address matches the address list.',
    (subject, list, scope) => scope.ports.matchListText('address', list.text, subject, scope),
    false,
  ),
  listCondition(
    'match_domain',
    'True when the domain matches the domain list.',
    (subject, list, scope) => scope.ports.matchListText('domain', list.text, subject, scope),
    true,
  ),
  listCondition(
    'match_ip',
    'True when the IP address matches the list of addresses.',
    (subject, list, scope) => {
      const address = textOf(subject)
      if (address !== '' && parseIp(address) === undefined)
        return failure(`"${address}" is not an IP address`)
      return scope.ports.matchList('host', list, { address: address === '' ? undefined : address }, scope, {
        addressesOnly: true,
      })
    },
    false,
  ),
  listCondition(
    'match_local_part',
    'True when the local part matches the local part list.',
    (subject, list, scope) => scope.ports.matchListText('localpart', list.text, subject, scope),
    true,
  ),
]

export const matching: readonly ConditionRow[] = [match, ...inlists, ...lists]
