import { isTainted, textOf } from '../../../base/text.ts'
import { type ActingModifier, errorOf } from '../row.ts'

export const queue: ActingModifier = {
  kind: 'modifier',
  name: 'queue',
  doc: 'Puts the message into a queue of its own; an empty name means the usual one.',
  since: '0.1',
  tier: 'B',
  argument: 'text',
  phases: { except: ['notsmtp', 'prdr', 'data'] },
  run({ context }, argument) {
    const name = textOf(argument)
    if (isTainted(argument)) return errorOf(`Tainted name '${name}' for queue not permitted`)
    if (name.includes('/')) return errorOf(`Directory separator not permitted in queue name: '${name}'`)
    const controls = context.message?.controls
    if (controls !== undefined) controls.queueName = name === '' ? undefined : name
    return undefined
  },
}
