/** Source: Exim manual, "Scanning with regular expressions". */
import { textOf } from '../../../base/text.ts'
import { compilePatterns, forgetMatch, matchLines } from '../../scanning/lines-search.ts'
import { partOf, rawPart } from '../../scanning/mime-part.ts'
import { readStretch, scanCopyOf } from '../../scanning/scan-copy.ts'
import { diskRefused } from '../scan-trouble.ts'
import { FALSE, type TextCondition, TRUE } from '../row.ts'

export const regex: TextCondition = {
  kind: 'condition',
  name: 'regex',
  doc: 'True when a line of the message, or in the MIME ACL of the part, matches a regular expression of the list.',
  since: '0.1',
  tier: 'B',
  manual: 'Content scanning at ACL time',
  argument: 'text',
  phases: { only: ['data', 'prdr', 'notsmtp', 'mime'] },
  async run({ context, place }, argument) {
    forgetMatch(context)
    const copy = scanCopyOf(context.message)
    if (copy === undefined) return FALSE
    const patterns = compilePatterns('regex', context.ports.splitList(argument).map(textOf), context)
    if (patterns.length === 0) return FALSE
    try {
      const part = place === 'mime' ? partOf(context.message) : undefined
      const file = await copy.file()
      const pieces = part === undefined ? readStretch(file.path, 0, file.size) : rawPart(part)
      return (await matchLines(pieces, patterns, context)) ? TRUE : FALSE
    } catch (error) {
      return diskRefused('regex', error, context)
    }
  },
}
