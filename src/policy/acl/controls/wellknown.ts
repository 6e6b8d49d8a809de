/** `control = wellknown/FILE`: the file that answers a WELLKNOWN command. Source: Exim manual of 4.98, "ACL controls". */
import { textOf, unquotedTaint } from '../../../base/text.ts'
import { type ControlRow, errorOf } from '../row.ts'

/** Under which a session finds the path. */
export const wellknownKey = 'wellknown file'

export const wellknown: ControlRow = {
  name: 'wellknown',
  doc: 'Answers a WELLKNOWN command with the contents of a file.',
  since: '0.1',
  tier: 'C',
  phases: { only: ['wellknown'] },
  takesOptions: true,
  apply(call, options) {
    const path = `/${textOf(options).replace(/^\/+/, '')}`
    if (unquotedTaint(options) !== undefined) {
      return errorOf(`tainted filename '${path}' in "control=wellknown" is not permitted`)
    }
    call.context.connection?.extra.set(wellknownKey, path)
    return undefined
  },
}
