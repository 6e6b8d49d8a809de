/** Findings about the words of `spf` and `spf_guess` that need no run. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import { spfWords } from './conditions/spf.ts'
import type { Acl, Clause } from './statement.ts'

export function reportSpfWords(acl: Acl, report: Report): void {
  for (const { clauses } of acl.statements) {
    for (const clause of clauses) {
      if (clause.row.name === 'spf' || clause.row.name === 'spf_guess') reportWords(clause, report)
    }
  }
}

function reportWords({ argument, row }: Clause, report: Report): void {
  // Text that is expanded first, or another separator, is judged when it is used.
  if (/[$\\]/.test(argument.text) || argument.text.trimStart().startsWith('<')) return
  let negated = 0
  for (const match of argument.text.matchAll(/[^:]+/g)) {
    const item = match[0].trim()
    const word = item.replace(/^!\s*/, '').toLowerCase()
    if (word === '') continue
    if (item.startsWith('!')) negated++
    const start = match.index + match[0].indexOf(item)
    reportWord(word, row.name, argument.span(start, start + item.length), report)
  }
  if (negated < 2) return
  report({
    code: 'acl-spf-negated',
    severity: 'warning',
    message: `"${row.name} = ${argument.text.trim()}" is true for every result`,
    at: argument.span(),
    help: `each item stands alone; "!${row.name} = ..." with the words that are not wanted says what is meant`,
  })
}

function reportWord(word: string, condition: string, at: Parameters<Report>[0]['at'], report: Report): void {
  if (!Object.hasOwn(spfWords, word)) {
    const near = nearest(word, Object.keys(spfWords))
    report({
      code: 'acl-spf-word',
      severity: 'warning',
      message: `"${word}" is no result of ${condition}: it never matches`,
      at,
      help: near === undefined ? undefined : `did you mean "${near}"?`,
    })
  } else if (word === 'err_perm' || word === 'err_temp') {
    report({
      code: 'acl-spf-old-word',
      severity: 'warning',
      message: `"${word}" is deprecated: it means ${spfWords[word] ?? ''}`,
      at,
      help: 'the text of 2014 had the meanings of err_perm and err_temp exchanged',
    })
  }
}
