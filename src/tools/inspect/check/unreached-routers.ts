/** Routers after one that takes, or sends away, every address: nothing ever reaches them. */
import type { RouterInstance } from '../../../language/config/configuration.ts'
import type { Check } from './subject.ts'

/** Options that make a router pass some addresses by; `address_data` and `set` do when they are forced to fail. */
const conditions = [
  'address_data',
  'address_test',
  'check_local_user',
  'condition',
  'domains',
  'expn',
  'local_part_prefix',
  'local_part_suffix',
  'local_parts',
  'require_files',
  'senders',
  'set',
  'unseen',
  'verify',
  'verify_only',
  'verify_recipient',
  'verify_sender',
  'dnslookup_domains',
] as const

export const unreachedRouters: Check = {
  name: 'unreached-routers',
  doc: 'Routers that no address ever reaches.',
  run({ configuration }, report) {
    const { routers } = configuration
    const ends = routers.findIndex(takesAll)
    const [ending, next] = [routers[ends], routers[ends + 1]]
    // Two of one name are told already.
    if (ends < 0 || ending === undefined || next === undefined || ending.name === next.name) return
    report({
      code: 'router-unreached',
      severity: 'warning',
      message: `router ${next.name} is never reached: router ${ending.name} before it takes every address`,
      at: next.at,
      help: `give ${ending.name} a condition, or move it to the end`,
      also: [{ at: ending.at, says: 'it takes every address' }],
    })
  },
}

function takesAll({ driver, setAt }: RouterInstance): boolean {
  return driver === 'accept' && !conditions.some((name) => setAt.has(name))
}
