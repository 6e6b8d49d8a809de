/** Tests one condition or obeys one modifier. Source: Exim manual, "Condition and modifier processing". */
import { after, type Awaitable, Failure, withoutQuery } from '../../base/outcome.ts'
import { type Text, textOf } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import type { Progress } from './messages.ts'
import { isAllowed, placeNames } from './place.ts'
import { type AclCall, errorOf, type Tested, TRUE } from './row.ts'
import type { Clause } from './statement.ts'

/** A condition whose argument was forced to fail: it counts as true, negated or not. */
export const TRUE_IGNORED: Tested = { is: 'true' }

export function testClause(clause: Clause, call: AclCall, progress: Progress): Awaitable<Tested> {
  const { row, argument } = clause
  const { context } = call
  switch (row.argument) {
    case 'none':
      progress.endpass = true
      return TRUE
    case 'later':
      if (row.name === 'message') progress.message = argument
      else progress.logMessage = argument
      context.debug?.('acl', `${row.name === 'message' ? '  message' : 'l_message'}: ${argument.text}`)
      return TRUE
    case 'missing':
      return errorOf(`ACL condition "${row.name}" does not work in this version of Postern`)
    case 'list': {
      showClause(clause, undefined, context)
      return misplaced(clause, call) ?? row.run(call, argument)
    }
    case 'words': {
      showClause(clause, undefined, context)
      return after(expandWords(clause, call, 0, []), (words) =>
        'is' in words ? words : row.run(call, words),
      )
    }
    case 'text':
      return after(context.ports.expand(argument, context), (text): Awaitable<Tested> => {
        if (text instanceof Failure) {
          if (text.kind === 'forced') return TRUE_IGNORED
          return notExpanded(argument.text, text)
        }
        showClause(clause, text, context)
        const wrong = misplaced(clause, call)
        if (wrong !== undefined) return wrong
        if (row.kind === 'condition') return row.run(call, text, clause.negated)
        return after(row.run(call, text, clause.variable), (done) => done ?? TRUE)
      })
  }
}

function misplaced({ row }: Clause, call: AclCall): Tested | undefined {
  if (isAllowed(row.phases, call.place)) return undefined
  const verb = row.kind === 'condition' ? 'test' : 'use'
  return errorOf(`cannot ${verb} ${row.name} condition in ${placeNames[call.place]} ACL`)
}

function expandWords(
  clause: Clause,
  call: AclCall,
  from: number,
  done: readonly Text[],
): Awaitable<readonly Text[] | Tested> {
  const word = clause.words[from]
  if (word === undefined) return done
  return after(call.context.ports.expand(word, call.context), (text) => {
    if (text instanceof Failure) {
      if (text.kind === 'forced') return TRUE_IGNORED
      // Exim names the first word whichever failed.
      return notExpanded(clause.words[0]?.text ?? '', text)
    }
    return expandWords(clause, call, from + 1, [...done, text])
  })
}

/** A lookup that defers speaks for itself, as in Exim. */
function notExpanded(text: string, { kind, message }: Failure): Tested {
  const told = `failed to expand ACL string "${text}": ${message}`
  return kind === 'defer'
    ? { is: 'defer', logMessage: withoutQuery(told) }
    : { is: 'error', logMessage: told }
}

function showClause(clause: Clause, expanded: Text | undefined, context: Context): void {
  if (context.debug === undefined) return
  const raw = clause.argument.text
  // An ACL that another one called stands further right; its second lines keep their column.
  const depth = (context.aclDepth ?? 1) - 1
  context.debug('acl', `check ${clause.shown} = ${raw}`)
  if (expanded !== undefined && textOf(expanded) !== raw) {
    context.debug(
      'acl',
      `${' '.repeat(Math.max(0, `check ${clause.shown} `.length - depth))}= ${textOf(expanded)}`,
    )
  }
}
