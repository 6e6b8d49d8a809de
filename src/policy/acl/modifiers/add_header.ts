import { addHeaders } from '../headers.ts'
import { withHeaders } from '../place.ts'
import type { ActingModifier } from '../row.ts'

export const addHeader: ActingModifier = {
  kind: 'modifier',
  name: 'add_header',
  doc: 'Adds header lines to the message, at its end or where :at_start: and its kin say.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: withHeaders,
  run({ context }, argument) {
    addHeaders(context, argument)
    return undefined
  },
}
