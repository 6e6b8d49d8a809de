/** MAIL FROM. Source: RFC 5321 section 4.1.1.2, RFC 1870, RFC 6152, RFC 3461, RFC 4954 section 5. */
import type { ByteString } from '../../../base/text.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import {
  decodeXtext,
  type EsmtpParameter,
  type ParameterForms,
  splitParameters,
} from '../../../wire/smtp/grammar.ts'
import { answerAccepted, answerRefusal, refusalOf, runAclOption } from '../acl.ts'
import { addressOptions } from '../address-options.ts'
import { clientError } from '../errors.ts'
import { mailAuth } from '../mail-auth.ts'
import { clientMatches, expandInteger } from '../matching.ts'
import { newMessage } from '../message-facts.ts'
import { originatorOf, preMailControls } from '../pre-mail.ts'
import { submittedOptions } from '../prepare.ts'
import type { Next, Session, Transaction } from '../session-state.ts'
import { slowDown } from '../slow-down.ts'
import { spoolHasRoom } from '../space.ts'
import { maySetSender } from '../trust.ts'
import type { Command } from './command.ts'

export const mail: Command = {
  name: 'MAIL',
  doc: 'Begins a message and names its envelope sender.',
  verb: 'MAIL',
  colon: 'FROM:',
  nonmail: false,
  groupable: 'pipelining',
  proceed,
}

async function proceed(session: Session, argument: ByteString): Promise<Next> {
  const next = await take(session, argument)
  session.mailRefused = session.transaction === undefined
  return next
}

async function take(session: Session, argument: ByteString): Promise<Next> {
  const { settings, context } = session
  session.messagesStarted++
  await slowDown(session, 'smtp_ratelimit_mail', session.messagesStarted)
  if (!session.heloSeen && (await clientMatches(settings.hosts_require_helo, context, true))) {
    session.rejectLog(`rejected MAIL from ${session.who(false)}: no HELO/EHLO given`, {
      event: 'smtp:rejected',
    })
    session.reply(503, 'HELO or EHLO required')
    return 'continue'
  }
  if (session.transaction !== undefined) return clientError(session, 'protocol', 503, 'sender already given')
  if (argument === '') return clientError(session, 'protocol', 501, 'MAIL must have an address operand')
  if (await tooManyMessages(session)) return 'continue'
  const { address: text, parameters } = splitParameters(argument, session.esmtp ? parameterForms : {})
  const wrong = parameterProblem(session, parameters)
  if (wrong !== undefined) return clientError(session, 'syntax', 501, wrong)
  const rewritten = (await session.services.rewriting?.smtp?.(text, context)) ?? text
  const utf8 = parameters.some((one) => one.name === 'SMTPUTF8')
  const parsed = parseAddress(rewritten, { ...addressOptions(settings, utf8), allowNull: true })
  if (parsed.is === 'error') {
    return clientError(session, 'syntax', 501, `${text}: ${parsed.message}`, parsed.message)
  }
  const limit = session.messageSizeLimit
  const size = announcedSize(parameters)
  if (limit > 0 && size > limit) return tooBig(session, argument, size, limit)
  const room = await spoolHasRoom(session, settings.smtp_check_spool_space ? Math.max(size, 0) : 0)
  if (!room) {
    session.reply(452, 'Space shortage, please try later')
    return 'continue'
  }
  const sender = await qualified(session, parsed.address, parsed.domain, text)
  if (sender === undefined) return 'continue'
  return begin(session, { address: sender, raw: parsed.address, shown: text }, parameters, size, utf8)
}

async function begin(
  session: Session,
  given: { readonly address: ByteString; readonly raw: ByteString; readonly shown: ByteString },
  parameters: readonly EsmtpParameter[],
  size: number,
  utf8: boolean,
): Promise<Next> {
  const refused = await mailAuth(session, parameters)
  if (refused !== undefined) return refused
  const { ports } = session.context
  const message = newMessage({
    receivedAt: ports.now(),
    local: !session.remote,
    originator: originatorOf(session),
  })
  message.controls.suppressLocalFixups = submittedOptions(session).gateway === true
  const before = preMailControls(session)
  if (before !== undefined) Object.assign(message.controls, before)
  message.controls.enforceSync = session.syncEnforced ?? message.controls.enforceSync
  const context = { ...session.context, message }
  // A local caller who is not trusted cannot choose the envelope sender.
  const chosen = await maySetSender(session.connection, given.address, context)
  const sender = chosen ? given.address : ownAddress(session)
  // Who may choose has chosen, be it the own address.
  if (chosen) message.local = false
  message.rawSender = sender
  message.size = size
  message.smtputf8 = utf8
  message.prdrRequested = session.offers('PRDR') && parameters.some((one) => one.name === 'PRDR')
  message.sender = (await session.services.rewriting?.sender(sender, context)) ?? sender
  connectionProtocol(session, utf8)
  const transaction: Transaction = {
    message,
    context,
    recipients: [],
    rawSender: chosen ? given.raw : sender,
    body8bitmime: 0,
    dsnRet: undefined,
    dsnEnvid: undefined,
    discarded: undefined,
  }
  session.transaction = transaction
  session.rcptError = undefined
  session.rcptErrorsDiffer = false
  applyParameters(session, transaction, parameters)
  const result = await runAclOption(session.settings.acl_smtp_mail, 'mail', context)
  if (result !== undefined) {
    const refusal = refusalOf(session, result, { what: `MAIL ${given.shown}` })
    if (refusal !== undefined) {
      // After a drop, `acl_smtp_notquit` still sees the message.
      const next = answerRefusal(session, refusal)
      session.transaction = undefined
      return next
    }
    if (result.verdict === 'discard') {
      transaction.discarded = 'MAIL'
      transaction.discardReason = result.logMessage
    }
  }
  const prdr = message.prdrRequested ? 'OK, PRDR Requested' : 'OK'
  answerAccepted(session, result, 250, prdr)
  return 'continue'
}

/** Those of extensions that were not offered are taken too, but SMTPUTF8; they do nothing. Observed of Exim 4.96. */
const parameterForms: ParameterForms = {
  SIZE: 'value',
  BODY: 'value',
  AUTH: 'value',
  RET: 'value',
  ENVID: 'value',
  PRDR: 'alone',
  SMTPUTF8: 'alone',
}

/** `BODY=` without a value counts as not given. */
function parameterProblem(session: Session, parameters: readonly EsmtpParameter[]): string | undefined {
  const dsn = session.offers('DSN')
  for (const name of dsn ? ['RET', 'ENVID'] : []) {
    if (parameters.filter((one) => one.name === name).length > 1) return `${name} can be specified once only`
  }
  for (const { name, value } of parameters.filter((one) => one.value !== '').toReversed()) {
    if (name === 'SMTPUTF8' && !session.offers('SMTPUTF8')) return 'SMTPUTF8 used when not advertised'
    if (name === 'BODY' && !/^(?:7BIT|8BITMIME)$/i.test(value ?? '')) return 'invalid data for BODY'
    if (name === 'RET' && dsn && !/^(?:FULL|HDRS)$/i.test(value ?? '')) return 'Value for RET is invalid'
    if (name === 'AUTH' && value !== '<>' && (value === undefined || decodeXtext(value) === undefined))
      return 'invalid data for AUTH'
  }
  return undefined
}

const mostBytes = 999_999_999_999_999

function announcedSize(parameters: readonly EsmtpParameter[]): number {
  const value = parameters.find((one) => one.name === 'SIZE')?.value ?? ''
  // As a C program reads it: one below zero, or that no computer can hold, is too big for every limit.
  return /^[-+]?\d+$/.test(value) ? (value[0] === '-' ? mostBytes : Math.min(Number(value), mostBytes)) : -1
}

function applyParameters(
  session: Session,
  transaction: Transaction,
  parameters: readonly EsmtpParameter[],
): void {
  for (const { name, value = '' } of parameters) {
    if (value === '' || (!session.offers('DSN') && (name === 'RET' || name === 'ENVID'))) continue
    if (name === 'BODY') {
      transaction.body8bitmime = value.toUpperCase() === '8BITMIME' ? 8 : 7
      transaction.message.body8bit = transaction.body8bitmime === 8
    } else if (name === 'RET') transaction.dsnRet = value.toUpperCase() === 'FULL' ? 'full' : 'hdrs'
    else if (name === 'ENVID') transaction.dsnEnvid = value
  }
}

/** Source: Exim manual, `smtp_accept_max_per_connection`: MAIL commands count, whatever became of them. */
async function tooManyMessages(session: Session): Promise<boolean> {
  const most = (await expandInteger(session.settings.smtp_accept_max_per_connection, session.context)) ?? 0
  if (most <= 0 || session.messagesStarted <= most) return false
  session.rejectLog(`rejected MAIL command ${session.who()}: too many messages in one connection`, {
    event: 'smtp:rejected',
    what: 'MAIL',
  })
  session.reply(421, 'too many messages in this connection')
  return true
}

function tooBig(session: Session, argument: ByteString, size: number, limit: number): Next {
  const address = argument.replace(/[ \t].*$/, '')
  // The selector is about the main log alone.
  session.log.reject(
    session.transaction?.message.id,
    `rejected MAIL FROM:${address} ${session.who()}: message too big: size${size > 2_147_483_647 ? '>=2147483647' : `=${size}`} max=${limit}`,
    {
      main: session.log.selects('size_reject'),
      facts: { event: 'smtp:rejected', what: 'MAIL', size, limit },
    },
  )
  session.reply(552, 'Message size exceeds maximum permitted')
  return 'continue'
}

async function qualified(
  session: Session,
  address: ByteString,
  domain: ByteString,
  shown: ByteString,
): Promise<ByteString | undefined> {
  if (domain !== '' || address === '') return address
  if (await allowsUnqualified(session)) return `${address}@${session.context.server.qualifyDomain}`
  session.rejectUnqualified('sender', address, 'MAIL')
  session.reply(501, `${shown}: sender address must contain a domain`)
  return undefined
}

async function allowsUnqualified(session: Session): Promise<boolean> {
  if (!session.remote) return submittedOptions(session).qualify !== false
  return clientMatches(session.settings.sender_unqualified_hosts, session.context)
}

/** `utf8esmtp`: the protocol of a message with SMTPUTF8. Source: RFC 6531 section 4.3; wording observed of Exim 4.96. */
function connectionProtocol({ connection }: Session, utf8: boolean): void {
  const plain = connection.protocol.replace(/^utf8/, '')
  connection.protocol = utf8 ? `utf8${plain}` : plain
}

/** `login@qualify_domain` of the calling user. */
function ownAddress(session: Session): ByteString {
  const login = session.connection.caller?.login ?? 'unknown'
  return `${login}@${session.context.server.qualifyDomain}`
}
