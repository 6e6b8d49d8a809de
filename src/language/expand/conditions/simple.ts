/** Conditions on one string, and those without any. */
import { parseIp } from '../../../base/ip.ts'
import { textOf } from '../../../base/text.ts'
import { failure } from '../environment.ts'
import type { ConditionRow } from '../rows.ts'
import { stringCondition } from './kinds.ts'

const manual = 'Expansion conditions'

const bool = stringCondition({
  name: 'bool',
  doc: 'True for "true", "yes" and numbers other than 0; false for their opposites; others are an error.',
  since: '0.1',
  manual,
  count: 1,
  test([text]) {
    const word = textOf(text ?? '')
      .trim()
      .toLowerCase()
    if (word === '' || word === 'false' || word === 'no') return false
    if (word === 'true' || word === 'yes') return true
    if (/^(?:-\d*|\d+)$/.test(word)) return /[1-9]/.test(word)
    return failure(`unrecognised boolean value "${textOf(text ?? '')}"`)
  },
})

const boolLax = stringCondition({
  name: 'bool_lax',
  doc: 'False for an empty text, "false", "no" and "0"; true for all else.',
  since: '0.1',
  manual,
  count: 1,
  test([text]) {
    const word = textOf(text ?? '')
      .trim()
      .toLowerCase()
    return word !== '' && word !== 'false' && word !== 'no' && word !== '0' && word !== '-'
  },
})

const exists = stringCondition({
  name: 'exists',
  doc: 'True when the file or folder exists.',
  since: '0.1',
  manual,
  count: 1,
  test([path], environment) {
    // A path from outside may be tested, not opened: Exim manual, "exists".
    return !('error' in environment.context.ports.files.stat(textOf(path ?? '')))
  },
})

const versions = [
  { name: 'isip', doc: 'True when the string is an IP address.', version: undefined },
  { name: 'isip4', doc: 'True when the string is an IPv4 address.', version: 4 },
  { name: 'isip6', doc: 'True when the string is an IPv6 address.', version: 6 },
]
const addresses = versions.map(({ name, doc, version }) =>
  stringCondition({
    name,
    doc,
    since: '0.1',
    manual,
    count: 1,
    test([text]) {
      const address = parseIp(textOf(text ?? ''))
      return address !== undefined && (version === undefined || address.version === version)
    },
  }),
)

const firstDelivery: ConditionRow = {
  name: 'first_delivery',
  doc: 'True during the first attempt to deliver a message.',
  since: '0.1',
  manual,
  read: () => ({ arguments: [] }),
  compile: () => (environment) => environment.context.message?.firstDelivery ?? false,
}

const queueRunning: ConditionRow = {
  name: 'queue_running',
  doc: 'True while a queue run delivers.',
  since: '0.1',
  manual,
  read: () => ({ arguments: [] }),
  compile: () => (environment) => textOf(environment.context.variables.get('queue_running') ?? '') !== '',
}

export const simple: readonly ConditionRow[] = [
  bool,
  boolLax,
  exists,
  ...addresses,
  firstDelivery,
  queueRunning,
]
