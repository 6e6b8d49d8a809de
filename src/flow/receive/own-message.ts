/**
 * Messages that the program itself writes (bounces, warnings, answers): they come in as from a local program of the run-time user, answers of the user they are written for, so that
 * the ACLs for such messages are asked, and are queued as those are. Source: Exim manual, "Non-SMTP ACLs"; `-localerror` in "Format of the -H
 * file"; what the ACLs see observed of Exim 4.96.
 */
import { randomBytes } from 'node:crypto'
import { type ByteString, toBytes } from '../../base/text.ts'
import { headerDate } from '../../mail/date.ts'
import type { Envelope, Header, Originator } from '../../mail/envelope.ts'
import { isNamed, makeHeader, splitHeaders } from '../../mail/header.ts'
import { receivedLine } from '../../mail/log-lines.ts'
import { messageIdHeader } from '../../mail/message-id.ts'
import { phrase } from '../../mail/phrase.ts'
import { SpoolError } from '../../store/spool/api.ts'
import { LineReader } from '../../wire/line-reader.ts'
import type { GeneratedMessage, Submitted } from '../generated-message.ts'
import { callerName } from './caller-name.ts'
import { qualifyHeaders } from './header-qualify.ts'
import { logDiscarded } from './discarded.ts'
import { makeEnvelope } from './envelope-of.ts'
import { newMessage } from './message-facts.ts'
import { askNotSmtp, askNotSmtpStart } from './not-smtp-acl.ts'
import { applyAclHeaders, totalSize } from './prepare.ts'
import { deliverHow } from './queueing.ts'
import { receivedHeader } from './received-header.ts'
import { newConnection, type ReceiveServices, type SessionIo } from './services.ts'
import { Session, type Transaction } from './session-state.ts'

export async function submitOwn(
  own: GeneratedMessage,
  runTimeUser: Originator,
  services: ReceiveServices,
): Promise<Submitted> {
  const incoming = services.spool.begin()
  try {
    const writer =
      own.writtenBy === undefined ? undefined : services.context.ports.accounts.byUid(own.writtenBy)
    const isTrusted = writer === undefined || writer.uid === 0 || writer.uid === runTimeUser.uid
    const originator = isTrusted ? runTimeUser : { login: writer.name, uid: writer.uid, gid: writer.gid }
    const session = sessionOf(originator, isTrusted, services)
    const transaction = transactionOf(own, originator, session)
    await askNotSmtpStart(session, transaction)
    transaction.message.id = incoming.id
    const { headers, body } = split(own.text)
    await prepare(session, transaction, own, headers)
    await incoming.write(toBytes(body))
    describeBody(session, transaction, body)
    const verdict = await askNotSmtp(session, transaction, incoming, (given) => Promise.resolve(given))
    if (verdict.is === 'rejected') {
      await incoming.abort()
      return refused(session, own, verdict.told)
    }
    applyAclHeaders(transaction.message)
    transaction.message.size = totalSize(transaction.message.headers, body.length)
    const envelope = envelopeOf(session, transaction, own, body)
    if (verdict.discard !== undefined) {
      await incoming.abort()
      logReceived(session, envelope, own)
      logDiscarded(session.log, incoming.id, 'non-SMTP', verdict.discard)
      return { is: 'accepted', id: incoming.id }
    }
    const spooled = await incoming.commit(envelope)
    logReceived(session, envelope, own)
    services.accepted(spooled, deliverHow(session, transaction))
    return { is: 'accepted', id: incoming.id }
  } catch (error) {
    await incoming.abort().catch(() => undefined)
    if (error instanceof SpoolError) services.context.ports.log.panic(incoming.id, `spool: ${error.message}`)
    return { is: 'refused', message: error instanceof Error ? error.message : String(error) }
  }
}

function sessionOf(originator: Originator, trusted: boolean, services: ReceiveServices): Session {
  const { server, ports } = services.context
  const connection = newConnection({
    kind: 'local',
    activeHostname: server.primaryHostname,
    connectionId: randomBytes(6).toString('hex'),
    startedAt: ports.now(),
    ident: originator.login,
    caller: { ...originator, trusted },
  })
  // Where the call delivers before it ends, reports go out although queue_only is set.
  const { foreground, queueing } = services
  const asked = foreground === true ? 'deliver' : queueing === 'queue' ? 'queue' : undefined
  return new Session(silent(), connection, { ...services, queueing: asked })
}

function transactionOf(own: GeneratedMessage, originator: Originator, session: Session): Transaction {
  const message = newMessage({ receivedAt: session.context.ports.now(), local: false, originator })
  message.rawSender = own.sender
  message.sender = own.sender
  message.allowUnqualified = { senders: true, recipients: true }
  const transaction: Transaction = {
    message,
    context: { ...session.context, message },
    recipients: [],
    rawSender: own.sender,
    body8bitmime: 0,
    dsnRet: undefined,
    dsnEnvid: undefined,
    discarded: undefined,
  }
  session.transaction = transaction
  return transaction
}

/** Recipients and headers, rewritten, with what every message needs. */
async function prepare(
  session: Session,
  transaction: Transaction,
  own: GeneratedMessage,
  written: readonly Header[],
): Promise<void> {
  const { message, context, recipients } = transaction
  const { rewriting } = session.services
  const { server, ports } = session.context
  message.headers = await qualifyHeaders(session, written, true)
  for (const raw of own.recipients) {
    const whole = raw.includes('@') ? raw : `${raw}@${server.qualifyRecipient}`
    recipients.push({ raw, address: (await rewriting?.recipient(whole, context)) ?? whole })
  }
  message.recipients = recipients
  message.rcptCount = recipients.length
  message.receivedFor = recipients.length === 1 ? recipients[0]?.address : undefined
  message.headers = (await rewriting?.headers(message.headers, context)) ?? message.headers
  const now = ports.now()
  const received = await receivedHeader(context, now)
  if (received !== undefined && 'problem' in received) throw new Error(received.problem)
  const { login = '', uid = 0 } = session.connection.caller ?? {}
  const address = `${login}@${server.qualifyDomain}`
  const name = own.writtenBy === undefined ? '' : await callerName({ login, uid }, context)
  const from = name === '' ? address : `${phrase(name)} <${address}>`
  message.headers = complete(message.headers, received, {
    id: message.id,
    host: server.primaryHostname,
    from,
    now,
  })
  message.receivedCount = message.headers.filter((header) => header.type === 'P').length
  applyAclHeaders(message)
}

/** `$message_body` and its kin. */
function describeBody({ settings }: Session, { message }: Transaction, body: ByteString): void {
  const lines = body.split('\n')
  message.bodySize = body.length
  message.bodyLines = lines.length - 1
  message.maxReceivedLineLength = lines.reduce((most, line) => Math.max(most, line.length), 0)
  message.size = totalSize(message.headers, body.length)
  const visible = settings.message_body_visible
  if (visible <= 0) return
  message.body = { start: body.slice(0, visible), end: body.slice(-visible) }
}

function refused(session: Session, own: GeneratedMessage, told: ByteString): Submitted {
  const about = own.about === '' ? '' : ` (R=${own.about})`
  if (own.sender === '') {
    const line = `Error while reading message with no usable sender address${about}: rejected by non-SMTP ACL: ${told}`
    session.log.main(session.transaction?.message.id, line)
  }
  return { is: 'refused', message: `rejected by non-SMTP ACL: ${told}`, byAcl: true }
}

function envelopeOf(
  session: Session,
  transaction: Transaction,
  own: GeneratedMessage,
  body: ByteString,
): Envelope {
  const { message } = transaction
  const facts = {
    bodyLines: message.bodyLines,
    bodyZeros: 0,
    bodySize: body.length,
    maxLineLength: message.maxReceivedLineLength,
  }
  const envelope = makeEnvelope(session, transaction, facts, message.headers)
  // For AUTH= where the bounce is passed on. Source: Exim manual, "bounce_sender_authentication".
  const authenticated = own.isReport ? session.settings.bounce_sender_authentication : undefined
  return {
    ...envelope,
    receiveMs: 0,
    localErrorMessage: own.isReport,
    ...(authenticated === undefined ? {} : { authenticatedSender: authenticated }),
    ...(own.aboutTls === true ? { extra: { ...envelope.extra, aboutTls: true } } : {}),
  }
}

function logReceived(session: Session, envelope: Envelope, own: GeneratedMessage): void {
  const line = receivedLine(
    {
      envelope,
      connection: session.connection,
      sizeBytes: totalSize(envelope.headers, envelope.bodySize),
      body8bitmime: 0,
      chunking: false,
      pipelining: undefined,
      prdr: false,
      rawSender: own.sender,
      rawRecipients: own.recipients,
      about: own.about === '' ? undefined : own.about,
      messageId: { header: messageIdHeader(envelope.headers), created: true },
    },
    session.log,
  )
  session.log.main(envelope.id, line, {
    event: 'msg:received',
    sender: envelope.sender,
    recipients: envelope.recipients.map((one) => one.address),
    about: own.about,
  })
}

/** The header section ends at the first line that belongs to no header, as in any message that is handed in. */
function split(written: ByteString): { readonly headers: Header[]; readonly body: ByteString } {
  const text = written.includes('\r\n') ? written.replaceAll('\r\n', '\n') : written
  headerLines.lastIndex = 0
  const end = headerLines.exec(text)?.[0].length ?? 0
  const body = text.slice(text[end] === '\n' ? end + 1 : end)
  const whole = body === '' || body.endsWith('\n') ? body : `${body}\n`
  return { headers: splitHeaders(text.slice(0, end)), body: whole }
}

const headerLines = /(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n|$)(?:[ \t][^\n]*(?:\n|$))*)*/y

/** What every message needs and this one may lack. */
function complete(
  headers: readonly Header[],
  received: Header | undefined,
  { id, host, from, now }: Readonly<Record<'id' | 'host' | 'from', string>> & { readonly now: number },
): Header[] {
  const has = (name: string): boolean => headers.some((header) => isNamed(header, name))
  const all = [...(received === undefined ? [] : [received]), ...headers]
  if (!has('Message-Id')) all.push(makeHeader(`Message-Id: <E${id}@${host}>\n`))
  // What a filter has sent need not say who it is from: RFC 5322 section 3.6 wants it.
  if (!has('From')) all.push(makeHeader(`From: ${from}\n`))
  if (!has('Date')) all.push(makeHeader(`Date: ${headerDate(now)}\n`))
  return all
}

/** Nobody on the other side. */
function silent(): SessionIo {
  return {
    reader: new LineReader({ pull: () => Promise.resolve('closed'), take: () => undefined }),
    write() {},
    flush() {},
    end: () => Promise.resolve(),
    destroy() {},
  }
}
