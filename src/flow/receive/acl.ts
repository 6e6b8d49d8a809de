/** Runs the ACL of a command and answers for it, in Exim's words. Source: Exim manual, "Access control lists". */
import type { Expandable } from '../../base/expandable.ts'
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, textOf } from '../../base/text.ts'
import { dmarcOf } from '../../mail/dmarc-facts.ts'
import {
  type FailedSender,
  failedSenderDetails,
  failedSenderLine,
  failedSenderOf,
} from '../../policy/acl/verify/failed-sender.ts'
import { authField, tlsFields } from '../../mail/log-lines.ts'
import type { AclPlace, AclResult, Context, LogFacts } from '../../ports.ts'
import { chooseReply, wrapReply } from '../../wire/smtp/replies.ts'
import { recipientFacts } from '../percent-hack.ts'
import type { Session } from './session-state.ts'

/**
 * What an ACL said, or `undefined` when the option is not set (or its expansion was forced to fail).
 * @param where a function when making the context costs something
 */
export async function runAclOption(
  option: Expandable | undefined,
  place: AclPlace,
  where: Context | (() => Context),
): Promise<AclResult | undefined> {
  if (option === undefined) return undefined
  const context = typeof where === 'function' ? where() : where
  const acl = await context.ports.expand(option, context)
  if (isFailure(acl)) {
    if (acl.kind === 'forced') return undefined
    const logMessage = `failed to expand ACL string "${option.text}": ${acl.message}`
    return { verdict: acl.kind === 'defer' ? 'defer' : 'error', userMessage: undefined, logMessage }
  }
  if (textOf(acl) === '') return undefined
  return context.ports.runAcl(acl, place, context)
}

/** What comes of an ACL that is not set, where nothing is allowed without one. */
export function deniedWithout(option: ByteString, { trace }: Context): AclResult {
  trace?.note('acl', `${option} is not set`, 'deny')
  return { verdict: 'deny', userMessage: undefined, logMessage: undefined }
}

/** For an ACL about one recipient; the result when `percent_hack_domains` cannot be tested. */
export async function recipientContext(
  address: ByteString,
  context: Context,
): Promise<{ readonly context: Context } | { readonly result: AclResult }> {
  const facts = await recipientFacts(address, context)
  if (!('is' in facts)) return { context: { ...context, address: facts } }
  return { result: { verdict: 'defer', userMessage: undefined, logMessage: facts.message } }
}

/** Why an ACL that cannot refuse anything (QUIT, not-QUIT) was wrong to try; undefined: it did not. */
export function endingAclFailed(result: AclResult | undefined): ByteString | undefined {
  if (result === undefined || result.verdict === 'accept' || result.verdict === 'discard') return undefined
  if (result.verdict === 'error') return result.logMessage ?? ''
  const verb = result.decidedBy?.verb ?? 'deny'
  return `QUIT or not-QUIT toplevel ACL may not fail ('${verb}' verb used incorrectly)`
}

/** What is being decided, for the reply and the log line. */
export interface AclQuestion {
  /** After `rejected`: `RCPT <a@b>`, `connection in "connect" ACL`. */
  readonly what: ByteString
  /** Code of a refusal without one of its own; 550 but for VRFY and ETRN. */
  readonly denyCode?: number
  /** The envelope sender belongs into the line: RCPT and after DATA. */
  readonly withSender?: boolean
  readonly id?: string | undefined
  /** Whether the main log has the line, too. */
  readonly inMainLog?: boolean
  /** Further lines of the reject log. */
  readonly detail?: readonly ByteString[] | undefined
}

export const prohibited = 'Administrative prohibition'
export const temporaryProblem = 'Temporary local problem - please try later'

export interface Refusal {
  readonly code: number
  readonly text: ByteString
  /** What was said of the recipient alone, without what is wrong with the sender. */
  readonly own: ByteString
  /** The connection is to be closed after the reply. */
  readonly drop: boolean
}

/** Logs a refusal and gives its reply; undefined when the ACL let it pass (accept or discard). */
export function refusalOf(session: Session, result: AclResult, question: AclQuestion): Refusal | undefined {
  if (result.verdict === 'accept' || result.verdict === 'discard') return undefined
  const temporary = result.verdict === 'defer' || result.verdict === 'error'
  const message = result.userMessage ?? (temporary ? temporaryProblem : prohibited)
  const chosen = chooseReply(message, temporary ? 451 : (question.denyCode ?? 550))
  if (chosen.wrongCode !== undefined) {
    session.log.panic(
      undefined,
      `configured error code starts with incorrect digit (expected ${temporary || question.denyCode === 458 ? 4 : 5}) in "${message}"`,
    )
  }
  logFailedSender(session, question)
  logRefusal(session, result, question, { temporary, code: chosen.code })
  const text = chosen.text === '' ? prohibited : chosen.text
  return {
    code: chosen.code,
    text: wrapReply(
      temporary ? withDeferral(session, question, text) : withSenderDetails(session, question, text),
    ),
    own: text,
    drop: result.verdict === 'drop',
  }
}

/** RCPT and the message itself are refused with what is wrong with the sender, if that was found. */
function failedSender(session: Session, question: AclQuestion): FailedSender | undefined {
  const message = session.transaction?.message
  return question.withSender === true && message !== undefined ? failedSenderOf(message) : undefined
}

function logFailedSender(session: Session, question: AclQuestion): void {
  const failed = failedSender(session, question)
  if (failed === undefined || failed.logged) return
  failed.logged = true
  if (!session.log.selects('sender_verify_fail')) return
  session.rejectLog(`${session.who()} ${failedSenderLine(failed)}`, {
    event: 'acl:sender-verify',
    sender: failed.address,
  })
}

function withSenderDetails(session: Session, question: AclQuestion, text: ByteString): ByteString {
  const failed = failedSender(session, question)
  if (failed === undefined || failed.told) return text
  failed.told = true
  if (session.transaction?.message.controls.noMultilineResponses === true) return text
  const enhanced = /^5\.\d{1,3}\.\d{1,3} /.exec(text)?.[0] ?? ''
  const lines = failedSenderDetails(failed)
  if (lines.length === 0) return text
  return `${enhanced}${lines.join('\n')}\n${text.slice(enhanced.length)}`
}

/** Why the sender cannot be verified for now stands before the refusal when `smtp_return_error_details` is set. */
function withDeferral(session: Session, question: AclQuestion, text: ByteString): ByteString {
  const why = failedSender(session, question)?.result
  if (why?.is !== 'defer' || why.callout !== undefined || !session.settings.smtp_return_error_details)
    return text
  return why.userMessage === undefined ? text : `${why.userMessage}\n${text}`
}

function logRefusal(
  session: Session,
  result: AclResult,
  question: AclQuestion,
  reply: { readonly temporary: boolean; readonly code: number },
): void {
  const { temporary } = reply
  // The words for the client, with the code that is really sent.
  const told = result.userMessage?.replace(
    /^([2-5]\d\d)( [245]\.\d{1,3}\.\d{1,3}(?= ))?(?= |$)/,
    (_, code: string, enhanced: string = '') =>
      code === String(reply.code) ? `${code}${enhanced}` : String(reply.code),
  )
  const reason = result.logMessage === result.userMessage ? told : (result.logMessage ?? told)
  const sender =
    question.withSender === true
      ? `F=<${session.transaction?.message.sender ?? ''}>${authField(session.connection, session.log)} `
      : ''
  const line =
    `${session.who()}${tlsFields(session.connection, session.log)}${dmarcField(session)} ${sender}${temporary ? 'temporarily ' : ''}rejected ${question.what}` +
    afterColon(reason)
  session.log.reject(question.id ?? (session.transaction?.message.id || undefined), line, {
    main: (result.logReject?.main ?? true) && question.inMainLog !== false,
    reject: result.logReject?.reject ?? true,
    panic: result.logReject?.panic ?? false,
    ...(question.detail === undefined ? {} : { detail: question.detail }),
    facts: refusalFacts(session, result, question),
  })
}

/** ` DMARC=reject` of the message that is refused. */
function dmarcField(session: Session): ByteString {
  const facts = dmarcOf(session.transaction?.message)
  return facts === undefined || !session.log.selects('dmarc') ? '' : ` DMARC=${facts.status}`
}

function refusalFacts(session: Session, result: AclResult, question: AclQuestion): LogFacts {
  const decided = result.decidedBy
  return {
    event: 'smtp:rejected',
    verdict: result.verdict,
    what: question.what,
    host: session.connection.hostAddress,
    sender: session.transaction?.message.sender,
    trace: session.connection.connectionId,
    decidedBy:
      decided === undefined ? undefined : { name: decided.acl, file: decided.file, line: decided.line },
  }
}

/** `: reason` for the end of a log line. */
export function afterColon(reason: ByteString | undefined): ByteString {
  return reason === undefined || reason === '' ? '' : `: ${oneLine(reason)}`
}

/** A reason of several lines stands on one in the log. */
export function oneLine(text: ByteString): ByteString {
  return text.replace(/\r?\n/g, ' ')
}

/** Logs `closed by DROP in ACL`. */
export function logDrop(session: Session): void {
  session.ended = true
  if (session.connection.notQuitReason === '') session.lose('acl-drop')
  if (!session.logsConnection || !session.log.selects('smtp_connection')) return
  session.mainLog(`SMTP connection from ${session.who(false)} closed by DROP in ACL`, { event: 'smtp:close' })
}

/** Sends a refusal; tells whether the session goes on. */
export function answerRefusal(session: Session, refusal: Refusal): 'continue' | 'close' {
  session.reply(refusal.code, refusal.text)
  if (!refusal.drop) return 'continue'
  logDrop(session)
  return 'close'
}

/** Sends a positive reply, in the words of the ACL when it has some. */
export function answerAccepted(
  session: Session,
  result: AclResult | undefined,
  code: number,
  text: ByteString,
): void {
  const message = result?.userMessage
  if (message === undefined || message === '') return session.reply(code, text)
  const chosen = chooseReply(message, code)
  session.reply(chosen.code, wrapReply(chosen.text))
}
