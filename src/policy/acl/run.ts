/** Walks over the statements of an ACL and decides. Source: Exim manual, "ACL verbs", "Condition and modifier processing". */
import type { Expandable } from '../../base/expandable.ts'
import { after, type Awaitable, Failure } from '../../base/outcome.ts'
import { type ByteString, type Text, textOf } from '../../base/text.ts'
import { hostAndIdent } from '../../mail/log-lines.ts'
import type { AclResult, Context } from '../../ports.ts'
import { addHeaders } from './headers.ts'
import { discarding, isAllowed, placeNames, withHeaders } from './place.ts'
import { type AclCall, errorOf, type Tested, TRUE } from './row.ts'
import type { Acl, Clause, Statement } from './statement.ts'

/** What the statement at work has gathered so far. */
interface Progress {
  /** For the client and the log, from conditions and from ACLs they called. */
  user: ByteString | undefined
  log: ByteString | undefined
  /** The last `message` and `log_message` seen; expanded only when they are wanted. */
  message: Expandable | undefined
  logMessage: Expandable | undefined
  endpass: boolean
}

interface Decision {
  readonly verdict: AclResult['verdict']
  readonly debug: string | undefined
  /** A positive end tells the client only what the statement itself says. */
  readonly own?: boolean
}

/** Runs the statements in order; the result is there at once when nothing had to wait. */
export function runStatements(acl: Acl, call: AclCall): Awaitable<AclResult> {
  const mistake = acl.mistakes[0]
  if (mistake !== undefined) return errorResult(mistake.message, call)
  return runFrom(acl, call, 0)
}

export function errorResult(message: ByteString, call: Pick<AclCall, 'logReject'>): AclResult {
  return { verdict: 'error', userMessage: undefined, logMessage: message, logReject: call.logReject }
}

function runFrom(acl: Acl, call: AclCall, from: number): Awaitable<AclResult> {
  let last: Progress | undefined
  for (let i = from; i < acl.statements.length; i++) {
    const statement = acl.statements[i]
    if (statement === undefined) continue
    const progress: Progress = {
      user: undefined,
      log: undefined,
      message: undefined,
      logMessage: undefined,
      endpass: false,
    }
    const done = runStatement(acl, statement, call, progress)
    if (done instanceof Promise) {
      return done.then((result) => {
        if (result !== undefined) return result
        if (i + 1 < acl.statements.length) return runFrom(acl, call, i + 1)
        return implicitDeny(acl, call, progress)
      })
    }
    if (done !== undefined) return done
    last = progress
  }
  return implicitDeny(acl, call, last)
}

/** Messages of the last statement's conditions stay, as in Exim. */
function implicitDeny(acl: Acl, call: AclCall, last: Progress | undefined): AclResult {
  call.context.debug?.('acl', `end of ${nameOf(acl)}: implicit DENY`)
  return {
    verdict: 'deny',
    userMessage: forClient(last?.user, call),
    logMessage: firstLine(last?.log ?? last?.user),
    logReject: call.logReject,
    // The end of the ACL decided: the last statement is the nearest place.
    decidedBy: placeOf(acl, acl.statements.at(-1)),
  }
}

/** Undefined: go on with the next statement. */
function runStatement(
  acl: Acl,
  statement: Statement,
  call: AclCall,
  progress: Progress,
): Awaitable<AclResult | undefined> {
  call.context.debug?.('acl', `processing "${statement.verb}" (${statement.file} ${statement.line})`)
  if (statement.verb === 'discard' && !isAllowed(discarding, call.place)) {
    call.context.ports.log.panic(undefined, `"discard" verb not allowed in ${placeNames[call.place]} ACL`)
    return { verdict: 'error', userMessage: undefined, logMessage: undefined, logReject: call.logReject }
  }
  return after(testFrom(statement, call, progress, 0), (tested) =>
    after(takeMessages(statement, call, progress, tested), (ownMessage) =>
      conclude(acl, statement, call, progress, tested, ownMessage),
    ),
  )
}

/** Tests clauses from `from` on until one is not true. */
function testFrom(
  statement: Statement,
  call: AclCall,
  progress: Progress,
  from: number,
): Awaitable<Tested['is']> {
  for (let i = from; i < statement.clauses.length; i++) {
    const clause = statement.clauses[i]
    if (clause === undefined) continue
    const tested = testClause(clause, call, progress)
    if (tested instanceof Promise) {
      return tested.then((late) => {
        const is = settle(clause, late, progress)
        return is === 'true' ? testFrom(statement, call, progress, i + 1) : is
      })
    }
    const is = settle(clause, tested, progress)
    if (is !== 'true') return is
  }
  return 'true'
}

/** Keeps a condition's messages and turns a negated one round. */
function settle(clause: Clause, tested: Tested, progress: Progress): Tested['is'] {
  if (tested.userMessage !== undefined) progress.user = tested.userMessage
  if (tested.logMessage !== undefined) progress.log = tested.logMessage
  if (!clause.negated || tested === TRUE_IGNORED) return tested.is
  if (tested.is === 'true') return 'false'
  return tested.is === 'false' || tested.is === 'drop' ? 'true' : tested.is
}

/** A condition whose argument was forced to fail: it counts as true, negated or not. */
const TRUE_IGNORED: Tested = { is: 'true' }

function testClause(clause: Clause, call: AclCall, progress: Progress): Awaitable<Tested> {
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
          const logMessage = `failed to expand ACL string "${argument.text}": ${text.message}`
          return { is: text.kind === 'defer' ? 'defer' : 'error', logMessage }
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
      const logMessage = `failed to expand ACL string "${clause.words[0]?.text ?? ''}": ${text.message}`
      const tested: Tested = { is: text.kind === 'defer' ? 'defer' : 'error', logMessage }
      return tested
    }
    return expandWords(clause, call, from + 1, [...done, text])
  })
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

/** With which outcome a statement's own messages count. Source: Exim manual, "ACL modifiers". */
function wantsMessages(statement: Statement, progress: Progress, is: Tested['is']): boolean {
  const failed = is === 'false' || is === 'drop'
  switch (statement.verb) {
    case 'accept':
    case 'discard':
      // Before endpass a failure shows only when it was the last statement: then its text goes with the refusal.
      return failed || !progress.endpass
    case 'require':
      return failed
    default:
      return is === 'true'
  }
}

/**
 * Expands `message` and `log_message` when the outcome calls for them.
 * @returns the statement's own text for the client
 */
function takeMessages(
  statement: Statement,
  call: AclCall,
  progress: Progress,
  is: Tested['is'],
): Awaitable<ByteString | undefined> {
  if (progress.message === undefined && progress.logMessage === undefined) {
    progress.log ??= progress.user
    return undefined
  }
  if (!wantsMessages(statement, progress, is)) {
    progress.log ??= progress.user
    return undefined
  }
  const { variables } = call.context
  // Both messages may quote what the conditions said.
  if (progress.user === undefined) variables.delete('acl_verify_message')
  else variables.set('acl_verify_message', progress.user)
  return after(expandMessage(progress.message, call), (own) => {
    if (own !== undefined) progress.user = own
    return after(expandMessage(progress.logMessage, call), (log) => {
      variables.delete('acl_verify_message')
      const joins = progress.log !== undefined && statement.verb !== 'warn'
      if (log !== undefined) progress.log = joins ? `${log}: ${progress.log ?? ''}` : log
      else progress.log ??= progress.user
      return own
    })
  })
}

/** A message that cannot be expanded, or is empty, is as good as none. */
function expandMessage(message: Expandable | undefined, call: AclCall): Awaitable<ByteString | undefined> {
  if (message === undefined) return undefined
  const { ports } = call.context
  return after(ports.expand(message, call.context), (text) => {
    if (text instanceof Failure) {
      if (text.kind !== 'forced') {
        ports.log.panic(undefined, `failed to expand ACL message "${message.text}": ${text.message}`)
      }
      return undefined
    }
    return textOf(text) === '' ? undefined : textOf(text)
  })
}

const outcomeWords: Readonly<Record<Tested['is'], string>> = {
  true: 'succeeded',
  false: 'failed',
  defer: 'deferred',
  error: 'error',
  drop: 'yielded "drop"',
  discard: 'yielded "discard"',
}

function conclude(
  acl: Acl,
  statement: Statement,
  call: AclCall,
  progress: Progress,
  is: Tested['is'],
  ownMessage: ByteString | undefined,
): AclResult | undefined {
  const { verb } = statement
  const { debug } = call.context
  const wrongDiscard = is === 'discard' && verb !== 'accept' && verb !== 'discard'
  if (wrongDiscard) {
    progress.log = `nested ACL returned "discard" for "${verb}" command (only allowed with "accept" or "discard")`
    progress.user = undefined
  }
  debug?.('acl', `${verb}: condition test ${outcomeWords[wrongDiscard ? 'error' : is]} in ${nameOf(acl)}`)
  if (verb === 'warn' && !wrongDiscard && is !== 'error') {
    warn(statement, call, progress, is)
    progress.user = undefined
    progress.log = undefined
    return undefined
  }
  const decision = wrongDiscard || verb === 'warn' ? broken('error') : decide(verb, is, progress)
  if (decision === undefined) return undefined
  if (decision.debug !== undefined) {
    debug?.(
      'acl',
      decision.debug === 'endpass'
        ? `${verb}: endpass encountered - denying access`
        : `end of ${nameOf(acl)}: ${decision.debug}`,
    )
  }
  const user = decision.own === true ? ownMessage : forClient(progress.user, call)
  return {
    verdict: decision.verdict,
    userMessage: decision.verdict === 'error' ? undefined : user,
    logMessage: firstLine(decision.own === true && decision.verdict === 'accept' ? undefined : progress.log),
    logReject: call.logReject,
    decidedBy: placeOf(acl, statement),
  }
}

function placeOf(acl: Acl, statement: Statement | undefined): AclResult['decidedBy'] {
  return { acl: acl.name ?? 'inline', file: statement?.file ?? '', line: statement?.line ?? 0 }
}

/** `control = no_multiline_responses` is for clients that cannot read more than one line. */
function forClient(text: ByteString | undefined, { context }: AclCall): ByteString | undefined {
  return context.message?.controls.noMultilineResponses === true ? firstLine(text) : text
}

function broken(verdict: 'defer' | 'error'): Decision {
  return { verdict, debug: undefined }
}

/** What a verb makes of its conditions' outcome; undefined: the next statement. */
function decide(
  verb: Exclude<Statement['verb'], 'warn'>,
  is: Tested['is'],
  progress: Progress,
): Decision | undefined {
  if (is === 'defer' || is === 'error') return broken(is)
  const failed = is === 'false' || is === 'drop'
  switch (verb) {
    case 'accept':
    case 'discard':
      if (!failed) {
        const discards = verb === 'discard' || is === 'discard'
        return { verdict: discards ? 'discard' : 'accept', debug: verb.toUpperCase(), own: true }
      }
      return progress.endpass ? { verdict: is === 'drop' ? 'drop' : 'deny', debug: 'endpass' } : undefined
    case 'require':
      return failed ? { verdict: is === 'drop' ? 'drop' : 'deny', debug: 'not OK' } : undefined
    default:
      return failed ? undefined : { verdict: verb, debug: verb.toUpperCase() }
  }
}

/** Logs what a `warn` says, each text once a message; a condition that could not be tested is logged instead. */
function warn(statement: Statement, call: AclCall, progress: Progress, is: Tested['is']): void {
  const { context } = call
  const { log } = context.ports
  if (is === 'defer') {
    if (!log.selects('acl_warn_skipped')) return
    const why = progress.log === undefined || progress.log === '' ? '' : `: ${firstLine(progress.log) ?? ''}`
    log.main(
      messageId(context),
      `${who(context)}Warning: ACL "warn" statement skipped: condition test deferred${why}`,
    )
    return
  }
  if (is !== 'true') return
  if (progress.message !== undefined && progress.user !== undefined) addWarnHeader(call, progress.user)
  const text = progress.logMessage === undefined ? undefined : firstLine(progress.log)
  if (text === undefined || text === '' || !firstTime(text, context)) return
  log.main(messageId(context), `${who(context)}Warning: ${text}`, {
    event: 'acl:warn',
    decidedBy: { name: 'warn', file: statement.file, line: statement.line },
  })
}

/** `message` on a `warn` adds a header: the way of old configurations. */
function addWarnHeader(call: AclCall, text: ByteString): void {
  if (isAllowed(withHeaders, call.place)) addHeaders(call.context, text)
}

const WARNED = 'acl warnings'

function firstTime(text: ByteString, context: Context): boolean {
  const extra = context.message?.extra ?? context.connection?.extra
  if (extra === undefined) return true
  const known = extra.get(WARNED)
  const said = known instanceof Set ? known : new Set<unknown>()
  if (said.has(text)) return false
  // More than a thousand different warnings in one message are no use to anybody.
  if (said.size < 1000) said.add(text)
  extra.set(WARNED, said)
  return true
}

function who({ connection, ports }: Context): string {
  return connection === undefined ? '' : `${hostAndIdent(connection, ports.log, true)} `
}

function messageId({ message }: Context): string | undefined {
  return message === undefined || message.id === '' ? undefined : message.id
}

function nameOf(acl: Acl): string {
  return acl.name === undefined ? 'inline ACL' : `ACL "${acl.name}"`
}

/** Only the first line of a text goes to the log. */
function firstLine(text: ByteString | undefined): ByteString | undefined {
  const end = text?.indexOf('\n') ?? -1
  return end < 0 ? text : text?.slice(0, end)
}
