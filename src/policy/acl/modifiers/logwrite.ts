import { textOf } from '../../../base/text.ts'
import { visible } from '../../../language/expand/operators/quote.ts'
import { placeNames } from '../place.ts'
import type { ActingModifier } from '../row.ts'

const logNames = new Set(['main', 'reject', 'panic'])

export const logwrite: ActingModifier = {
  kind: 'modifier',
  name: 'logwrite',
  doc: 'Writes a line to the main log at once, or to the logs named between colons before it.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run({ context, place }, argument) {
    // As Exim shows it: observed of 4.96.
    const text = visible(textOf(argument), context.settings.print_topbitchars)
    const { log } = context.ports
    const id = context.message === undefined || context.message.id === '' ? undefined : context.message.id
    if (!text.startsWith(':')) {
      log.main(id, text)
      return undefined
    }
    const end = text.indexOf(':', 1)
    const names =
      end < 0
        ? [text]
        : text
            .slice(1, end)
            .split(',')
            .map((name) => name.trim())
    if (names.some((name) => !logNames.has(name))) {
      log.panic(id, `unknown log name in "${text}" in "logwrite" in ${placeNames[place]} ACL`)
      return undefined
    }
    const line = text.slice(end + 1).trimStart()
    const [main, reject, panic] = [names.includes('main'), names.includes('reject'), names.includes('panic')]
    if (reject || panic) log.reject(id, line, { main, reject, panic })
    else log.main(id, line)
    return undefined
  },
}
