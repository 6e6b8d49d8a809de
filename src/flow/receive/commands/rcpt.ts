/** RCPT TO. Source: RFC 5321 section 4.1.1.3, RFC 3461 section 4.1 and 4.2. */
import type { ByteString } from '../../../base/text.ts'
import type { RecipientDsn } from '../../../mail/envelope.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { AclResult, Context } from '../../../ports.ts'
import { type EsmtpParameter, splitParameters } from '../../../wire/smtp/grammar.ts'
import {
  answerAccepted,
  afterColon,
  answerRefusal,
  deniedWithout,
  recipientContext,
  type Refusal,
  refusalOf,
  runAclOption,
} from '../acl.ts'
import { addressOptions } from '../address-options.ts'
import { clientError } from '../errors.ts'
import { clientMatches, expandInteger } from '../matching.ts'
import { submittedOptions } from '../prepare.ts'
import type { Next, Session, Transaction } from '../session-state.ts'
import { slowDown } from '../slow-down.ts'
import type { Command } from './command.ts'

export const rcpt: Command = {
  name: 'RCPT',
  doc: 'Names one recipient.',
  verb: 'RCPT',
  colon: 'TO:',
  nonmail: false,
  groupable: 'pipelining',
  proceed,
}

async function proceed(session: Session, argument: ByteString): Promise<Next> {
  const transaction = session.transaction
  if (transaction === undefined) return noSender(session)
  const { message } = transaction
  message.rcptCount++
  await slowDown(session, 'smtp_ratelimit_rcpt', message.rcptCount)
  if (argument === '') {
    const problem = 'RCPT must have an address operand'
    return malformed(session, transaction, problem, problem)
  }
  const { address: text, parameters } = splitParameters(
    argument,
    session.offers('DSN') ? { NOTIFY: 'value', ORCPT: 'value' } : {},
  )
  const dsn = readDsn(parameters)
  if (typeof dsn === 'string') return malformed(session, transaction, dsn, dsn)
  const rewritten = (await session.services.rewriting?.smtp?.(text, transaction.context)) ?? text
  const parsed = parseAddress(rewritten, addressOptions(session.settings, message.smtputf8))
  if (parsed.is === 'error') {
    return malformed(session, transaction, `${text}: ${parsed.message}`, parsed.message)
  }
  const address = await qualified(session, parsed.address, parsed.domain, text)
  if (address === undefined) {
    message.rcptFailCount++
    return 'continue'
  }
  const full = await tooManyRecipients(session, transaction)
  if (full !== undefined) return full
  return decide(session, transaction, address, text, dsn)
}

async function decide(
  session: Session,
  transaction: Transaction,
  address: ByteString,
  shown: ByteString,
  dsn: RecipientDsn | undefined,
): Promise<Next> {
  const { message } = transaction
  if (transaction.discarded === 'MAIL') {
    transaction.threwAway = true
    logDiscarded(session, address, { acl: 'MAIL', why: transaction.discardReason })
    session.reply(250, 'Accepted')
    return 'continue'
  }
  const about = await recipientContext(address, transaction.context)
  const result = 'result' in about ? about.result : await rcptVerdict(session, about.context)
  if (result !== undefined) {
    const refusal = refusalOf(session, result, { what: `RCPT ${shown}`, withSender: true })
    if (refusal !== undefined) return refuse(session, transaction, result, refusal)
  }
  if (result?.verdict === 'discard') {
    transaction.discarded ??= 'RCPT'
    transaction.threwAway = true
    logDiscarded(session, address, { acl: 'RCPT', why: result.logMessage })
  } else {
    const handed =
      'context' in about ? await handOn(session, transaction, address, shown, about.context) : undefined
    if (handed !== undefined) return handed
    transaction.recipients.push(
      dsn === undefined ? { address, raw: address } : { address, raw: address, dsn },
    )
    message.recipients = transaction.recipients
    transaction.acceptedBy = result?.decidedBy
  }
  answerAccepted(session, result, 250, 'Accepted')
  return 'continue'
}

/** `control = cutthrough_delivery`: the next host is told of the recipient; its refusal is the client's. */
async function handOn(
  session: Session,
  transaction: Transaction,
  address: ByteString,
  shown: ByteString,
  context: Context,
): Promise<Next | undefined> {
  const service = session.services.cutthrough
  const { message } = transaction
  if (message.controls.cutthrough === undefined || service === undefined) return undefined
  // These hand the message over in another way: Exim manual, `control = cutthrough_delivery`.
  if (message.prdrRequested || !session.remote || session.connection.hostChecking) return undefined
  const rewritten = (await session.services.rewriting?.recipient(address, context)) ?? address
  const handed = await service.recipient(rewritten, context)
  if (handed.is !== 'refused') return undefined
  const { temporary, reply, logMessage } = handed
  const result: AclResult = {
    verdict: temporary ? 'defer' : 'deny',
    userMessage: reply,
    logMessage,
  }
  const refusal = refusalOf(session, result, { what: `RCPT ${shown}`, withSender: true })
  return refusal === undefined ? undefined : refuse(session, transaction, result, refusal)
}

/** Without an ACL no recipient is taken in a dialogue, be it over standard input: observed of Exim 4.96. */
async function rcptVerdict(session: Session, context: Context): Promise<AclResult | undefined> {
  const result = await runAclOption(session.settings.acl_smtp_rcpt, 'rcpt', context)
  if (result !== undefined || session.connection.kind === 'local') return result
  return deniedWithout('acl_smtp_rcpt', context)
}

function refuse(session: Session, transaction: Transaction, result: AclResult, refusal: Refusal): Next {
  const { message } = transaction
  if (result.verdict === 'defer' || result.verdict === 'error') message.rcptDeferCount++
  else message.rcptFailCount++
  session.noteRcptError(refusal.own.replace(/^[245]\.\d{1,3}\.\d{1,3} /, ''))
  return answerRefusal(session, refusal)
}

function logDiscarded(
  session: Session,
  recipient: ByteString,
  { acl, why }: { readonly acl: string; readonly why: ByteString | undefined },
): void {
  const sender = session.transaction?.message.sender ?? ''
  session.rejectLog(
    `${session.who()} F=<${sender}> RCPT ${session.connection.smtpCommandArgument}: discarded by ${acl} ACL${afterColon(why)}`,
    { event: 'smtp:discarded', recipient },
  )
}

/** A recipient that could not be read. */
function malformed(session: Session, transaction: Transaction, text: ByteString, logText: ByteString): Next {
  transaction.message.rcptFailCount++
  session.noteRcptError(`501 ${text}`)
  return clientError(session, 'syntax', 501, text, logText)
}

/** A client that groups commands sends RCPT before it knows that MAIL was refused: no error then. */
function noSender(session: Session): Next {
  const text = 'sender not yet given'
  session.noteRcptError(`503 ${text}`)
  if (!session.rcptExcused) {
    session.commandWasRcpt = false
    return clientError(session, 'protocol', 503, text)
  }
  session.reply(503, text)
  return 'continue'
}

/** Those that were refused count as well: observed of Exim 4.96. */
async function tooManyRecipients(session: Session, transaction: Transaction): Promise<Next | undefined> {
  const most = await limitOf(session, transaction)
  if (most <= 0 || transaction.message.rcptCount <= most) return undefined
  transaction.message.rcptFailCount++
  const permanent = session.settings.recipients_max_reject
  // Logged once a message: a list of thousands would fill the log.
  if (!session.recipientsMaxLogged) {
    session.recipientsMaxLogged = true
    const what = permanent ? 'message rejected' : 'excess temporarily rejected'
    session.rejectLog(
      `too many recipients: ${what}: sender=<${transaction.message.sender ?? ''}> ${session.who()}`,
      { event: 'smtp:rejected', what: 'RCPT' },
    )
  }
  session.reply(permanent ? 552 : 452, 'too many recipients')
  return 'continue'
}

async function limitOf(session: Session, transaction: Transaction): Promise<number> {
  const { message } = transaction
  message.recipientsMax ??= (await expandInteger(session.settings.recipients_max, transaction.context)) ?? 0
  return message.recipientsMax
}

/** A problem as text, or what NOTIFY and ORCPT say. */
function readDsn(parameters: readonly EsmtpParameter[]): RecipientDsn | string | undefined {
  if (parameters.length === 0) return undefined
  for (const name of ['NOTIFY', 'ORCPT']) {
    if (parameters.filter((one) => one.name === name).length > 1) return `${name} can be specified once only`
  }
  let notify: RecipientDsn['notify'] = []
  let orcpt: ByteString | undefined
  for (const { name, value } of parameters) {
    if (name === 'ORCPT') {
      orcpt = value
    } else if (value !== '') {
      const words = readNotify(value)
      if (words === undefined) return 'Invalid value for NOTIFY parameter'
      notify = words
    }
  }
  return { notify, orcpt }
}

const notifyWords = ['success', 'failure', 'delay'] as const

/** A comma at the end is borne with, as in Exim. */
function readNotify(value: ByteString = ''): RecipientDsn['notify'] | undefined {
  const words = value
    .toLowerCase()
    .replace(/(?<=.),$/, '')
    .split(',')
  if (words.length === 1 && words[0] === 'never') return ['never']
  const known = notifyWords.filter((word) => words.includes(word))
  return words.every((word) => notifyWords.some((one) => one === word)) ? known : undefined
}

async function qualified(
  session: Session,
  address: ByteString,
  domain: ByteString,
  shown: ByteString,
): Promise<ByteString | undefined> {
  if (domain !== '') return address
  const { settings, context } = session
  const allowed =
    // RFC 5321 section 4.5.1: postmaster without a domain is always taken.
    address.toLowerCase() === 'postmaster' ||
    (!session.remote && submittedOptions(session).qualify !== false) ||
    (await clientMatches(settings.recipient_unqualified_hosts, context))
  if (allowed) return `${address}@${context.server.qualifyRecipient}`
  session.rejectUnqualified('recipient', address, 'RCPT')
  const text = `${shown}: recipient address must contain a domain`
  session.noteRcptError(`501 ${text}`)
  session.reply(501, text)
  return undefined
}
