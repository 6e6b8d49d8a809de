/** Source: Exim manual, "Scanning with regular expressions". */
import { textOf } from '../../../base/text.ts'
import { compilePatterns, forgetMatch, matchText } from '../../scanning/lines-search.ts'
import { decodePart, partOf } from '../../scanning/mime-part.ts'
import { readStart, scanCopyOf } from '../../scanning/scan-copy.ts'
import { diskRefused } from '../scan-trouble.ts'
import { FALSE, type TextCondition, TRUE } from '../row.ts'

/** More of a part is not looked at: so the manual says. */
const mostBytes = 32_768

export const mimeRegex: TextCondition = {
  kind: 'condition',
  name: 'mime_regex',
  doc: 'True when the decoded MIME part matches a regular expression of the list.',
  since: '0.1',
  tier: 'B',
  manual: 'Content scanning at ACL time',
  argument: 'text',
  phases: { only: ['mime'] },
  async run({ context }, argument) {
    forgetMatch(context)
    const part = partOf(context.message)
    const copy = scanCopyOf(context.message)
    if (part === undefined || copy === undefined) return FALSE
    const patterns = compilePatterns('mime_regex', context.ports.splitList(argument).map(textOf), context)
    if (patterns.length === 0) return FALSE
    try {
      if (part.decoded === undefined) await decodePart(part, copy.nextName(), context)
      const text = part.decoded === undefined ? '' : await readStart(part.decoded, mostBytes)
      return matchText(text, patterns, context) ? TRUE : FALSE
    } catch (error) {
      return diskRefused('mime_regex', error, context)
    }
  },
}
