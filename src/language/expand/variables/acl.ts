/** Variables of ACLs, user variables, and those that items and conditions bind. */
import type { Environment } from '../environment.ts'
import type { VariableRow } from '../rows.ts'
import { failure } from '../environment.ts'
import { stored, storedOutside, trusted } from './kinds.ts'

const argument = (index: number) =>
  trusted(
    `acl_arg${index}`,
    `Argument ${index} of the ACL that was called.`,
    ({ context }) => context.aclArguments?.[index - 1],
  )

const filterNumbers = Array.from({ length: 10 }, (_, i) => [
  stored(`n${i}`, `Counter ${i} of filters.`),
  stored(`sn${i}`, `Counter ${i} of the system filter.`),
]).flat()

/** 0 until something is stored. */
function fromZero(row: VariableRow): VariableRow {
  const { get } = row
  return { ...row, get: (environment: Environment) => (get === undefined ? '0' : (get(environment) ?? '0')) }
}

export const aclVariables: readonly VariableRow[] = [
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(argument),
  trusted(
    'acl_narg',
    'How many arguments the ACL was called with.',
    ({ context }) => context.aclArguments?.length ?? 0,
  ),
  storedOutside('acl_verify_message', 'What a failed verification said.'),
  stored('auth1', 'First value of an authentication.'),
  stored('auth2', 'Second value of an authentication.'),
  stored('auth3', 'Third value of an authentication.'),
  ...filterNumbers.map(fromZero),
  trusted('item', 'The item of the list at work.', (environment) => environment.item),
  stored('lookup_dnssec_authenticated', 'Whether the last DNS look-up was proven by DNSSEC.'),
  storedOutside('prvscheck_address', 'Address that a prvs check decoded.'),
  storedOutside('prvscheck_keynum', 'Number of the key of a prvs address.'),
  stored('prvscheck_result', '1 after a prvs check that succeeded.'),
  fromZero(stored('runrc', 'What the last command of ${run returned; 0 before the first.')),
  trusted('value', 'What the item around it found.', (environment) => environment.value),
]

/** `$acl_c_name`, `$acl_m5`: set by ACLs; `$r_name`: set by routers; `$regex1`: groups of the regex condition. */
export function userVariable(name: string): VariableRow | undefined {
  const acl = /^acl_[cm](?:[0-9_].*)?$/.exec(name)
  if (acl !== null) return aclVariable(name)
  if (name.startsWith('r_')) {
    return trusted(name, 'A variable that a router set.', ({ context }) =>
      context.address?.routerVariables?.get(name.slice(2)),
    )
  }
  if (/^auth[4-9]$/.test(name)) return stored(name, 'A value of an authentication.')
  if (/^regex[1-9]$/.test(name)) return storedOutside(name, 'A group of the regex condition.')
  return undefined
}

function aclVariable(name: string): VariableRow {
  const key = name.slice(4)
  return trusted(name, 'A variable that an ACL set.', ({ context }) => {
    const values = key.startsWith('c') ? context.connection?.aclC : context.message?.aclM
    const value = values?.get(key)
    if (value === undefined && context.settings.strict_acl_vars) {
      return failure(`unknown variable name "${name}" (strict_acl_vars is set)`)
    }
    return value
  })
}
