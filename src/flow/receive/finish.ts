/** From the end of the data to the answer: headers, ACL, commit, log line. */
import type { ByteString } from '../../base/text.ts'
import type { Envelope, Header } from '../../mail/envelope.ts'
import { receivedLine } from '../../mail/log-lines.ts'
import { arcOf } from '../../mail/arc-facts.ts'
import { dkimOf } from '../../mail/dkim-facts.ts'
import { dmarcOf } from '../../mail/dmarc-facts.ts'
import { spfOf } from '../../mail/spf-facts.ts'
import type { AclResult } from '../../ports.ts'
import { type SpooledMessage, SpoolError } from '../../store/spool/api.ts'
import { wrapReply } from '../../wire/smtp/replies.ts'
import { takeHeld } from '../cutthrough-types.ts'
import { answerRefusal, type Refusal, refusalOf, runAclOption, temporaryProblem } from './acl.ts'
import type { MessageReceiver } from './body.ts'
import { beginScan, checkMime, endScan } from './content-scan.ts'
import { makeEnvelope, originHost } from './envelope-of.ts'
import { logDiscarded } from './discarded.ts'
import { checkDkim } from './dkim.ts'
import { applyAclHeaders, type Prepared, prepareHeaders, mergeAclHeaders } from './prepare.ts'
import { answerRecipients, prdrFinalReply, type PrdrOutcome } from './prdr.ts'
import { rejectDetail } from './reject-detail.ts'
import { runNotQuit } from './not-quit.ts'
import { frozenByAcl } from './frozen-by-acl.ts'
import { deliverHow } from './queueing.ts'
import type { Next, Session, Transaction } from './session-state.ts'

export interface FinishOptions {
  readonly chunking: boolean
  /** Line of the reply before the last: what BDAT LAST says of its chunk. */
  readonly before: ByteString
}

/** Decides on a message that has been read whole, and answers. */
export async function finishMessage(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  options: FinishOptions,
): Promise<Next> {
  const incoming = receiver.incoming
  if (incoming === undefined) throw new Error('a message ended before its header section')
  transaction.message.id = incoming.id
  beginScan(transaction, incoming)
  try {
    return await decide(session, transaction, receiver, options)
  } finally {
    await endScan(session, transaction)
  }
}

/** Once the headers are there, before the ACLs see the message: Exim manual, "When does rewriting happen?". */
async function rewriteRecipients({ services }: Session, transaction: Transaction): Promise<void> {
  const { rewriting } = services
  if (rewriting === undefined) return
  const { recipients, context } = transaction
  for (const [i, one] of recipients.entries())
    recipients[i] = { ...one, address: await rewriting.recipient(one.address, context) }
}

/** A message that is dropped ends the session while it is still known: the not-QUIT ACL sees it. */
async function answerMessageRefusal(session: Session, refusal: Refusal): Promise<Next> {
  if (refusal.drop) {
    session.lose('acl-drop')
    session.brokenOff = true
    await runNotQuit(session)
  }
  return answerRefusal(session, refusal)
}

async function decide(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  options: FinishOptions,
): Promise<Next> {
  const { message } = transaction
  await rewriteRecipients(session, transaction)
  const prepared = await prepareHeaders(session, transaction, receiver)
  if (prepared.is === 'problem') {
    await receiver.abort()
    session.log.panic(message.id, prepared.problem)
    session.reply(451, temporaryProblem)
    return 'continue'
  }
  const dkim = await checkDkim(transaction.context)
  if (dkim !== undefined) {
    applyAclHeaders(message)
    const detail = rejectDetail(session, '', message.headers)
    const refusal = refusalOf(session, dkim, { what: 'DKIM ', detail })
    if (refusal !== undefined) {
      await receiver.abort()
      return answerMessageRefusal(session, refusal)
    }
    const headers = mergeAclHeaders(session, transaction, prepared)
    return accept(session, transaction, receiver, {
      chunking: options.chunking,
      before: options.before,
      headers,
      prepared,
      verdict: dkim,
      by: 'DKIM',
      prdr: undefined,
      rawRecipients: transaction.recipients.map((one) => one.raw),
    })
  }
  applyAclHeaders(message)
  const mime = await checkMime(session.settings.acl_smtp_mime, transaction)
  if (mime !== undefined) {
    applyAclHeaders(message)
    const detail = rejectDetail(session, '', message.headers)
    const refusal = refusalOf(session, mime, { what: 'during MIME ACL checks', withSender: true, detail })
    if (refusal !== undefined) {
      session.services.dmarc?.settled(transaction.context, 'refused')
      await receiver.abort()
      return answerMessageRefusal(session, refusal)
    }
    return accept(session, transaction, receiver, {
      chunking: options.chunking,
      before: options.before,
      headers: mergeAclHeaders(session, transaction, prepared),
      prepared,
      verdict: mime,
      by: 'MIME',
      prdr: undefined,
      rawRecipients: transaction.recipients.map((one) => one.raw),
    })
  }
  applyAclHeaders(message)
  const rawRecipients = transaction.recipients.map((one) => one.raw)
  const prdr = await answerRecipients(session, transaction)
  if (prdr !== undefined && transaction.recipients.length === 0) {
    await receiver.abort()
    const { code, text } = prdrFinalReply(prdr, message.id)
    session.reply(code, `${options.before}${text}`)
    return 'continue'
  }
  // With every recipient discarded there is nothing to decide: observed of Exim 4.96.
  const nobody = transaction.discarded !== undefined && transaction.recipients.length === 0
  const verdict = nobody
    ? undefined
    : await runAclOption(session.settings.acl_smtp_data, 'data', transaction.context)
  if (verdict !== undefined) {
    applyAclHeaders(message)
    const refusal = refusalOf(session, verdict, {
      what: 'after DATA',
      withSender: true,
      detail: rejectDetail(session, '', message.headers),
    })
    if (refusal !== undefined) {
      session.services.dmarc?.settled(transaction.context, 'refused')
      await receiver.abort()
      return answerMessageRefusal(session, refusal)
    }
  }
  session.services.dmarc?.settled(
    transaction.context,
    verdict?.verdict === 'discard' ? 'discarded' : 'accepted',
  )
  const headers = mergeAclHeaders(session, transaction, prepared)
  return accept(session, transaction, receiver, {
    chunking: options.chunking,
    before: options.before,
    headers,
    prepared,
    verdict,
    by: 'DATA',
    prdr,
    rawRecipients,
  })
}

interface Acceptance extends FinishOptions {
  readonly headers: readonly Header[]
  readonly prepared: Extract<Prepared, { is: 'ready' }>
  readonly verdict: AclResult | undefined
  /** Whose verdict that is. */
  readonly by: 'DKIM' | 'MIME' | 'DATA'
  readonly prdr: PrdrOutcome | undefined
  readonly rawRecipients: readonly ByteString[]
}

async function accept(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  acceptance: Acceptance,
): Promise<Next> {
  const { message } = transaction
  const envelope = makeEnvelope(session, transaction, receiver, acceptance.headers)
  const whole = acceptance.verdict?.verdict === 'discard'
  const discarded = whole ? acceptance.by : transaction.discarded
  if (discarded !== undefined && (whole || envelope.recipients.length === 0)) {
    await receiver.abort()
    logReceived(session, transaction, acceptance, envelope)
    // What the MIME ACL says is not logged: observed of Exim 4.96.
    const said = whole && acceptance.by === 'DATA' ? acceptance.verdict : undefined
    logDiscarded(session.log, message.id, discarded, said)
    answer(session, transaction, acceptance)
    return 'continue'
  }
  const handedOn = await handOn(session, transaction, receiver, envelope, acceptance)
  if (handedOn !== undefined) return handedOn
  const spooled = session.connection.hostChecking ? undefined : await commit(session, receiver, envelope)
  if (spooled === 'refused') return 'continue'
  if (session.connection.hostChecking) session.services.rehearsed?.(envelope, transaction.context)
  logReceived(session, transaction, acceptance, envelope)
  session.messagesAccepted++
  await frozenByAcl(session, transaction, envelope)
  answer(session, transaction, acceptance)
  // The client has its answer while delivery begins.
  if (spooled !== undefined) {
    const how = deliverHow(session, transaction)
    const held = how.next === 'deliver' && how.later === undefined ? takeHeld(message) : undefined
    session.services.accepted(spooled, held === undefined ? how : { ...how, held })
  }
  return 'continue'
}

/** Sends the message to the next host before the client is answered, where that was prepared. */
async function handOn(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  envelope: Envelope,
  acceptance: Acceptance,
): Promise<Next | undefined> {
  const { message, context } = transaction
  const service = session.services.cutthrough
  const mode = message.controls.cutthrough
  const { incoming } = receiver
  if (mode === undefined || service === undefined || incoming === undefined || acceptance.chunking) {
    return undefined
  }
  const { headers } = acceptance
  const result = await service.send({ envelope, headers, read: () => incoming.read() }, context)
  if (result.is === 'not possible') return undefined
  if (result.is === 'accepted') {
    for (const { address, fields } of result.recipients) {
      session.log.main(envelope.id, `>> ${address}${fields}`, { event: 'msg:delivery', recipient: address })
    }
    await receiver.abort()
    logReceived(session, transaction, acceptance, envelope)
    session.log.main(envelope.id, 'Completed', { event: 'msg:complete' })
    session.messagesAccepted++
    answer(session, transaction, acceptance)
    return 'continue'
  }
  const word = result.is === 'refused' ? 'rejected' : 'tmp-reject from cutthrough'
  for (const { address, fields } of result.recipients) {
    const [sender = '', rest = ''] = /^( F=<[^>]*>)?(.*)$/s.exec(fields)?.slice(1) ?? []
    session.log.main(envelope.id, `${session.who()} ${address}${sender} ${word} after DATA:${rest}`, {
      event: 'smtp:rejected',
      what: 'cutthrough',
      recipient: address,
    })
  }
  if (result.is === 'deferred' && mode.defer === 'spool') return undefined
  await receiver.abort()
  session.reply(result.code, `${acceptance.before}${result.reply.replace(/^\d{3}[ -]/gm, '')}`)
  return 'continue'
}

/** Makes it durable: only after this may the client be told. */
async function commit(
  session: Session,
  receiver: MessageReceiver,
  envelope: Envelope,
): Promise<SpooledMessage | 'refused'> {
  const incoming = receiver.incoming
  if (incoming === undefined) throw new Error('nothing to commit')
  try {
    return await incoming.commit(envelope)
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error
    await receiver.abort()
    session.log.panic(envelope.id, `spool: ${error.message}`, { event: 'spool:error', code: error.code })
    if (error.code === 'full') session.reply(452, 'Space shortage, please try later')
    else session.reply(451, 'Error while writing spool file')
    return 'refused'
  }
}

function answer(session: Session, transaction: Transaction, acceptance: Acceptance): void {
  const { message } = transaction
  const { fakeReject, fakeDefer } = message.controls
  if (fakeReject !== undefined) return answerFalsely(session, fakeReject, 550, acceptance.before)
  if (fakeDefer !== undefined) return answerFalsely(session, fakeDefer, 450, acceptance.before)
  const own = acceptance.verdict?.userMessage
  if (own !== undefined && own !== '') {
    // What BDAT would say of its chunk gives way to these words: observed of Exim 4.96.
    return session.reply(250, own.replace(/^2\d\d /, ''))
  }
  if (acceptance.prdr !== undefined) {
    const { code, text } = prdrFinalReply(acceptance.prdr, message.id)
    return session.reply(code, `${acceptance.before}${text}`)
  }
  session.reply(250, `${acceptance.before}OK id=${message.id}`)
  if (session.connection.hostChecking && session.services.rehearsed === undefined)
    session.remark('**** SMTP testing: that is not a real message id!')
}

/** `control = fakereject`, `fakedefer`. */
function answerFalsely(
  session: Session,
  control: Parameters<typeof textOfControl>[0],
  code: number,
  before: ByteString,
): void {
  // A code in the text is words: so it was observed.
  session.reply(code, `${before}${wrapReply(textOfControl(control))}`)
}

function textOfControl(text: string | { readonly text: string }): ByteString {
  return typeof text === 'string' ? text : text.text
}

function logReceived(
  session: Session,
  transaction: Transaction,
  acceptance: Acceptance,
  envelope: Envelope,
): void {
  const { log } = session
  const decided = acceptance.verdict?.decidedBy ?? transaction.acceptedBy
  const controls = transaction.message.controls
  const line = receivedLine(
    {
      envelope,
      connection: session.connection,
      sizeBytes: transaction.message.size,
      body8bitmime: transaction.body8bitmime,
      chunking: acceptance.chunking,
      pipelining: pipeliningField(session),
      prdr: transaction.message.prdrRequested,
      rawSender: transaction.rawSender,
      rawRecipients: acceptance.rawRecipients,
      about: session.services.reference,
      messageId: acceptance.prepared.messageId,
      dkimDomain: dkimDomain(transaction),
      arcPassed: arcOf(transaction.message)?.state === 'pass',
      spf: spfOf(transaction.message)?.result,
      dmarc: dmarcOf(transaction.message)?.status,
      fakeReject: controls.fakeReject !== undefined,
    },
    log,
  )
  log.main(envelope.id, line, {
    event: 'msg:received',
    sender: envelope.sender,
    recipients: envelope.recipients.map((one) => one.address),
    size: transaction.message.size,
    protocol: envelope.protocol,
    host: originHost(session.connection),
    decidedBy:
      decided === undefined ? undefined : { name: decided.acl, file: decided.file, line: decided.line },
  })
}

function pipeliningField(session: Session): ByteString | undefined {
  if (!session.offers('PIPELINING')) return undefined
  const connect = session.pipeConnectUsed ? '*' : session.offers('PIPECONNECT') ? '.' : ''
  return `${connect}${session.pipelined ? '' : '-'}`
}

/** For `DKIM=`: the last of the signatures that hold. */
function dkimDomain({ message }: Transaction): ByteString | undefined {
  const dkim = dkimOf(message)
  return dkim?.signatures.findLast((one) => one.status === 'pass' && dkim.asked?.has(one) !== false)
    ?.writtenDomain
}
