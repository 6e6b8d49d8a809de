/** Lists of results with two negated items: `spf` and these read them differently. Source: requirement G5. */
import type { Check } from './subject.ts'

const conditions = new Set(['dkim_status', 'dmarc_status'])

export const negatedResults: Check = {
  name: 'negated-results',
  doc: 'Two negated items in a list of DKIM or DMARC results.',
  run({ acls }, report) {
    for (const { statements } of acls) {
      for (const { row, argument } of statements.flatMap(({ clauses }) => clauses)) {
        // Text that is expanded first, or another separator, is judged when it is used.
        if (!conditions.has(row.name) || /[$\\<]/.test(argument.text)) continue
        const negated = argument.text.split(':').filter((item) => item.trimStart().startsWith('!'))
        if (negated.length < 2) continue
        report({
          code: 'acl-results-negated',
          severity: 'warning',
          message: `"${row.name} = ${argument.text.trim()}" is true for every result that none of its negated items names`,
          at: argument.span(),
          help: `a list is read from left to right, unlike that of "spf"; "!${row.name} = ..." with the words that are not wanted says the same plainly`,
        })
      }
    }
  },
}
