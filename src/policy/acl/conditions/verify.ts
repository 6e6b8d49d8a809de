import { textOf } from '../../../base/text.ts'
import { errorOf, type TextCondition } from '../row.ts'
import { placeNames, isAllowed } from '../place.ts'
import { verifyItems } from '../verify/index.ts'
import { splitOptions } from '../verify/options.ts'

export const verify: TextCondition = {
  kind: 'condition',
  name: 'verify',
  doc: 'True when what its argument names (sender, recipient, helo, header_syntax ...) can be verified.',
  since: '0.1',
  tier: 'A',
  argument: 'text',
  phases: 'all',
  run(call, argument, negated) {
    const text = textOf(argument)
    const [first = '', ...options] = splitOptions(text)
    const equals = first.indexOf('=')
    const word = (equals < 0 ? first : first.slice(0, equals)).trim().toLowerCase()
    const value = equals < 0 ? undefined : first.slice(equals + 1).trim()
    const item = verifyItems.find((row) => row.name === word)
    if (item === undefined || (value !== undefined && !item.takesAddress)) {
      return errorOf(
        `expected "sender[=address]", "recipient", "helo", "header_syntax", "header_sender", "header_names_ascii" or "reverse_host_lookup" at start of ACL condition "verify ${text}"`,
      )
    }
    if (!isAllowed(item.phases, call.place)) {
      return errorOf(`cannot verify ${word} in ACL for ${placeNames[call.place]}`)
    }
    if (item.run === undefined) {
      return errorOf(`ACL condition "verify = ${word}" does not work in this version of Postern`)
    }
    const wrong = item.wrongOption?.(options, text)
    if (wrong !== undefined) return errorOf(wrong)
    return item.run(call, { value, options, text, negated })
  },
}
