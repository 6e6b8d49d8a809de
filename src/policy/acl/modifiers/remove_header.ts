import { textOf } from '../../../base/text.ts'
import { withHeaders } from '../place.ts'
import type { ActingModifier } from '../row.ts'

/** More names than this are not kept for one message. */
const MOST_NAMES = 1000

export const removeHeader: ActingModifier = {
  kind: 'modifier',
  name: 'remove_header',
  doc: 'Takes headers of the named kinds out of the message.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: withHeaders,
  run({ context }, argument) {
    const { message } = context
    if (message === undefined) return undefined
    message.headersRemoved ??= []
    for (const name of context.ports.splitList(argument).map(textOf)) {
      if (name === '' || message.headersRemoved.includes(name)) continue
      if (message.headersRemoved.length < MOST_NAMES) message.headersRemoved.push(name)
    }
    return undefined
  },
}
