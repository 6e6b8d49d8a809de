import { after } from '../../../base/outcome.ts'
import { slice, textOf } from '../../../base/text.ts'
import { findControl } from '../controls/index.ts'
import { isAllowed, placeNames } from '../place.ts'
import { type ActingModifier, errorOf, type Modified } from '../row.ts'

export const control: ActingModifier = {
  kind: 'modifier',
  name: 'control',
  doc: 'Changes how the connection or the message is handled from here on.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run(call, argument) {
    const text = textOf(argument)
    const slash = text.indexOf('/')
    const name = slash < 0 ? text : text.slice(0, slash)
    const row = findControl(name)
    if (row === undefined || (slash >= 0 && !row.takesOptions)) {
      return errorOf(`syntax error in "control=${text}"`)
    }
    if (!isAllowed(row.phases, call.place)) {
      return errorOf(`cannot use "control=${row.name}" in ${placeNames[call.place]} ACL`)
    }
    if (row.apply === undefined) {
      // Nothing is less safe without it, and the start has warned: the ACL goes on.
      call.context.debug?.('acl', `control "${row.name}" has no effect in this version of Postern`)
      return undefined
    }
    const options = slash < 0 ? '' : slice(argument, slash + 1)
    return after(
      row.apply(call, options),
      (done): Modified => (done === false ? errorOf(`syntax error in "control=${text}"`) : done),
    )
  },
}
