/** Walks over the statements of an ACL and decides. Source: Exim manual, "ACL verbs", "Condition and modifier processing". */
import { Noted } from '../../base/noted.ts'
import { after, type Awaitable } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'
import type { AclResult, Trace } from '../../ports.ts'
import { testClause, TRUE_IGNORED } from './clause.ts'
import { firstLine, forClient, type Progress, takeMessages } from './messages.ts'
import { discarding, isAllowed, placeNames } from './place.ts'
import type { AclCall, Tested } from './row.ts'
import type { Acl, Clause, Statement } from './statement.ts'
import { warn } from './warn.ts'

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
        if (i + 1 < acl.statements.length) {
          return call.turn.overdue()
            ? call.turn.end().then(() => runFrom(acl, call, i + 1))
            : runFrom(acl, call, i + 1)
        }
        return implicitDeny(acl, call, progress)
      })
    }
    if (done !== undefined) return done
    last = progress
    if (call.turn.overdue() && i + 1 < acl.statements.length)
      return call.turn.end().then(() => runFrom(acl, call, i + 1))
  }
  return implicitDeny(acl, call, last)
}

/** Messages of the last statement's conditions stay, as in Exim. */
function implicitDeny(acl: Acl, call: AclCall, last: Progress | undefined): AclResult {
  call.context.debug?.('acl', `end of ${nameOf(acl)}: implicit DENY`)
  const end = acl.statements.at(-1)
  call.context.trace?.note('statement', 'the end of the ACL: nothing accepted', 'deny', end)
  return {
    verdict: 'deny',
    userMessage: forClient(last?.user, call),
    logMessage: firstLine(last?.log ?? last?.user),
    logReject: call.logReject,
    // The end of the ACL decided: the last statement is the nearest place.
    decidedBy: placeOf(acl, end),
  }
}

/** Undefined: go on with the next statement. */
function runStatement(
  acl: Acl,
  statement: Statement,
  call: AclCall,
  progress: Progress,
): Awaitable<AclResult | undefined> {
  call.context.debug?.('acl', `processing "${statement.verb}" (${statement.file} ${statement.lastLine})`)
  const { trace } = call.context
  if (trace === undefined) return decideStatement(acl, statement, call, progress)
  statement.noted ??= new Noted(statement.verb, { file: statement.file, line: statement.line })
  const step = trace.begin('statement', '', statement.noted)
  const result = decideStatement(acl, statement, call, progress)
  return result instanceof Promise ? decidedLater(step, result) : decided(step, result)
}

function decided(step: Trace, result: AclResult | undefined): AclResult | undefined {
  step.end(result === undefined ? 'goes on' : result.verdict)
  return result
}

function decidedLater(step: Trace, result: Promise<AclResult | undefined>): Promise<AclResult | undefined> {
  return result.then((settled) => decided(step, settled))
}

function decideStatement(
  acl: Acl,
  statement: Statement,
  call: AclCall,
  progress: Progress,
): Awaitable<AclResult | undefined> {
  call.context.variables.delete('acl_verify_message')
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
    const tested = tracedClause(clause, call, progress)
    if (tested instanceof Promise) {
      return tested.then((late) => {
        const is = settle(clause, late, progress)
        keepVerifyMessage(clause, late, call)
        return is === 'true' ? testFrom(statement, call, progress, i + 1) : is
      })
    }
    const is = settle(clause, tested, progress)
    keepVerifyMessage(clause, tested, call)
    if (is !== 'true') return is
    if (call.turn.overdue()) return call.turn.end().then(() => testFrom(statement, call, progress, i + 1))
  }
  return 'true'
}

function tracedClause(clause: Clause, call: AclCall, progress: Progress): Awaitable<Tested> {
  const { trace } = call.context
  if (trace === undefined) return testClause(clause, call, progress)
  clause.noted ??= new Noted(`${clause.shown} = ${clause.argument.text}`, clause.at)
  const step = trace.begin('condition', '', clause.noted)
  const tested = testClause(clause, call, progress)
  return tested instanceof Promise ? clauseToldLater(step, clause, tested) : clauseTold(step, clause, tested)
}

function clauseTold(step: Trace, clause: Clause, tested: Tested): Tested {
  const is =
    clause.negated && tested.is === 'true'
      ? 'false'
      : clause.negated && tested.is === 'false'
        ? 'true'
        : tested.is
  const shown = clause.row.kind === 'modifier' ? 'done' : is
  const why = tested.logMessage ?? tested.userMessage
  step.end(why === undefined ? shown : `${shown}: ${why}`)
  return tested
}

function clauseToldLater(step: Trace, clause: Clause, tested: Promise<Tested>): Promise<Tested> {
  return tested.then((settled) => clauseTold(step, clause, settled))
}

/** For what follows in the statement: `set acl_m0 = $acl_verify_message`. Source: Exim manual, "$acl_verify_message". */
function keepVerifyMessage(
  { row }: Clause,
  { userMessage, verifyMessage }: Tested,
  { context }: AclCall,
): void {
  const told = verifyMessage ?? userMessage
  if (row.name === 'verify' && told !== undefined) context.variables.set('acl_verify_message', told)
}

/** Keeps a condition's messages and turns a negated one round. */
function settle(clause: Clause, tested: Tested, progress: Progress): Tested['is'] {
  if (tested.userMessage !== undefined || tested.replaces === true) progress.user = tested.userMessage
  if (tested.logMessage !== undefined || tested.replaces === true) progress.log = tested.logMessage
  if (!clause.negated || tested === TRUE_IGNORED) return tested.is
  if (tested.is === 'true') return 'false'
  return tested.is === 'false' || tested.is === 'drop' ? 'true' : tested.is
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
  if (verb === 'discard' && is === 'true' && !isAllowed(discarding, call.place)) {
    call.context.ports.log.panic(undefined, `"discard" verb not allowed in ${placeNames[call.place]} ACL`)
    const logMessage = firstLine(progress.log)
    return { verdict: 'error', userMessage: undefined, logMessage, logReject: call.logReject }
  }
  const wrongDiscard = is === 'discard' && verb !== 'accept' && verb !== 'discard'
  if (wrongDiscard) {
    progress.log = `nested ACL returned "discard" for "${verb}" command (only allowed with "accept" or "discard")`
    progress.user = undefined
  }
  debug?.('acl', `${verb}: condition test ${outcomeWords[wrongDiscard ? 'error' : is]} in ${nameOf(acl)}`)
  if (verb === 'warn' && !wrongDiscard && is !== 'error') {
    warn(statement, call, progress, is, ownMessage)
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
  const saysNothing =
    decision.own === true && decision.verdict === 'accept' && progress.logMessage === undefined
  return {
    verdict: decision.verdict,
    userMessage: decision.verdict === 'error' ? undefined : user,
    logMessage: saysNothing ? undefined : firstLine(progress.log),
    logReject: call.logReject,
    decidedBy: placeOf(acl, statement),
  }
}

function placeOf(acl: Acl, statement: Statement | undefined): AclResult['decidedBy'] {
  return {
    acl: acl.name ?? 'inline',
    file: statement?.file ?? '',
    line: statement?.line ?? 0,
    ...(statement === undefined ? {} : { verb: statement.verb }),
  }
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

function nameOf(acl: Acl): string {
  return acl.name === undefined ? 'inline ACL' : `ACL "${acl.name}"`
}
