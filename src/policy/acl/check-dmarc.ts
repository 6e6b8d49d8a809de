/** Findings about DMARC in ACLs that need no run: words, spellings of 2014, variables that are read too early. */
import { nearest, type Report } from '../../base/diagnostic.ts'
import { dmarcWords } from './conditions/dmarc_status.ts'
import type { Acl, Clause, Statement } from './statement.ts'

export function reportDmarcWords(acl: Acl, report: Report): void {
  for (const { clauses } of acl.statements) {
    for (const clause of clauses) {
      if (clause.row.name === 'dmarc_status') reportWords(clause, report)
      reportDollar(clause, report)
    }
  }
}

function reportWords({ argument }: Clause, report: Report): void {
  // Text that is expanded first, another separator and named lists are judged when they are used.
  if (/[$\\+]/.test(argument.text) || argument.text.trimStart().startsWith('<')) return
  for (const match of argument.text.matchAll(/[^:]+/g)) {
    const item = match[0].trim()
    const word = item.replace(/^!\s*/, '').toLowerCase()
    if (word === '' || /[*^;@/]/.test(word) || dmarcWords.includes(word)) continue
    const near = nearest(word, dmarcWords)
    const start = match.index + match[0].indexOf(item)
    report({
      code: 'acl-dmarc-word',
      severity: 'warning',
      message: `"${word}" is no result of dmarc_status: it never matches`,
      at: argument.span(start, start + item.length),
      help: near === undefined ? `known are ${dmarcWords.join(', ')}` : `did you mean "${near}"?`,
    })
  }
}

/** As the example of 2014 writes it. */
function reportDollar({ dollar, variable, at }: Clause, report: Report): void {
  if (dollar === true) {
    report({
      code: 'acl-set-dollar',
      severity: 'warning',
      message: `"set $${variable}" is taken as "set ${variable}"`,
      at,
      help: 'Exim refuses the dollar sign here',
    })
  }
}

/** In the DATA ACL, variables that are read where no check can have run yet: requirement D14. */
export function reportEarlyDmarc(acl: Acl, report: Report): void {
  for (const statement of acl.statements) {
    for (const [index, clause] of statement.clauses.entries()) {
      if (mayCheck(clause)) return
      // What is said when all conditions are done may stand before them.
      if (clause.row.argument === 'later' && statement.clauses.some(mayCheck)) continue
      const read = readEarly(statement, index)
      if (read === undefined) continue
      report({
        code: 'acl-dmarc-early',
        severity: 'warning',
        message: `$${read.name} is read before any dmarc_status condition: it holds ${read.name === 'dmarc_status' ? '"none"' : 'nothing'} here`,
        at: clause.argument.span(read.start, read.end),
        help: 'a dmarc_status condition before it makes the check',
      })
      return
    }
  }
}

/** `dmarc_status` itself, or another ACL that may hold it. */
function mayCheck({ row, argument }: Clause): boolean {
  return row.name === 'dmarc_status' || row.name === 'acl' || argument.text.includes('${acl')
}

function readEarly(
  { clauses }: Statement,
  index: number,
): { readonly name: string; readonly start: number; readonly end: number } | undefined {
  const match = /\$\{?((?:dmarc_|domain_used_)[a-z_]+)/.exec(clauses[index]?.argument.text ?? '')
  if (match === null) return undefined
  return { name: match[1] ?? '', start: match.index, end: match.index + match[0].length }
}
