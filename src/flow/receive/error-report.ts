/**
 * Mail that tells a local sender why a message was not taken: `-oem` and `-oee`.
 * Its words are Exim's, since programs and people look for them.
 */
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, fromBytes, textOf, toBytes } from '../../base/text.ts'
import { headerDate } from '../../mail/date.ts'
import { makeHeader } from '../../mail/header.ts'
import { receivedLine } from '../../mail/log-lines.ts'
import { SpoolError } from '../../store/spool/api.ts'
import type { MessageReceiver } from './body.ts'
import type { BadAddress } from './local-recipients.ts'
import { newMessage } from './message-facts.ts'
import { receivedHeader } from './received-header.ts'
import { newConnection } from './services.ts'
import type { Session, Transaction } from './session-state.ts'
import { totalSize } from './prepare.ts'

export type LocalError =
  | { readonly is: 'bad-argument'; readonly address: ByteString; readonly problem: ByteString }
  | { readonly is: 'bad-headers'; readonly bad: readonly BadAddress[]; readonly others: boolean }
  | { readonly is: 'no-recipients' }
  | { readonly is: 'all-overridden' }
  | { readonly is: 'acl'; readonly problem: ByteString }
  | { readonly is: 'too-big'; readonly limit: number }

/** No more of the message is sent back. */
const copyLimitBytes = 102_400

/** Puts a report to the sender into the spool; false when there is nobody to tell, or no room. */
export async function reportByMail(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  error: LocalError,
): Promise<boolean> {
  const to = transaction.message.sender ?? ''
  if (to === '') {
    const id = transaction.message.id
    session.log.main(
      id || undefined,
      `Error while reading message with no usable sender address: ${subjectOf(error)}`,
    )
    return false
  }
  const copy = await copyOf(transaction, receiver)
  const body = `${textFor(error)}\n------ This is a copy of your message, including all the headers. ------\n\n${copy}`
  return send(session, transaction, to, error, body)
}

async function send(
  session: Session,
  transaction: Transaction,
  to: ByteString,
  error: LocalError,
  body: ByteString,
): Promise<boolean> {
  const { services, context, log } = session
  const { server, ports } = context
  const incoming = services.spool.begin()
  const now = ports.now()
  const account = ports.accounts.byUid(server.eximUid)
  const login = account?.name ?? `uid${server.eximUid}`
  const from = await context.ports.expand(session.settings.dsn_from, context)
  // A message with a bad argument has not begun, so far as its sender knows.
  const about = error.is === 'bad-argument' ? '' : transaction.message.id
  const connection = newConnection({
    kind: 'local',
    activeHostname: server.primaryHostname,
    connectionId: session.connection.connectionId,
    startedAt: now,
    ident: login,
  })
  const message = newMessage({
    receivedAt: now,
    local: true,
    originator: { login, uid: server.eximUid, gid: server.eximGid },
  })
  message.id = incoming.id
  message.sender = ''
  message.receivedFor = to
  const received = await receivedHeader({ ...context, connection, message }, now)
  const headers = [
    ...(received === undefined || 'problem' in received ? [] : [received]),
    makeHeader('Auto-Submitted: auto-replied\n'),
    makeHeader(
      `From: ${isFailure(from) ? `Mail Delivery System <Mailer-Daemon@${server.qualifyDomain}>` : textOf(from)}\n`,
    ),
    makeHeader(`To: ${to}\n`),
    ...(about === '' ? [] : [makeHeader(`References: <E${about}@${server.primaryHostname}>\n`)]),
    makeHeader(`Subject: Mail failure - ${subjectOf(error)}\n`),
    makeHeader(`Message-Id: <E${incoming.id}@${server.primaryHostname}>\n`),
    makeHeader(`Date: ${headerDate(now)}\n`),
  ]
  try {
    await incoming.write(toBytes(body))
    const envelope = {
      id: incoming.id,
      receivedAt: now,
      receiveMs: 0,
      originator: message.originator,
      sender: '',
      recipients: [{ address: to }],
      headers,
      protocol: 'local',
      ident: login,
      local: false,
      localErrorMessage: true,
      allowUnqualified: { senders: true, recipients: true },
      bodyLines: body.split('\n').length - 1,
      bodyZeros: 0,
      bodySize: body.length,
      maxReceivedLineLength: body.split('\n').reduce((most, line) => Math.max(most, line.length), 0),
      firstDelivery: true,
      done: [],
    }
    const spooled = await incoming.commit(envelope)
    const line = receivedLine(
      {
        envelope,
        connection,
        sizeBytes: totalSize(headers, body.length),
        body8bitmime: 0,
        chunking: false,
        pipelining: undefined,
        prdr: false,
        rawSender: '',
        rawRecipients: [to],
        about: about === '' ? undefined : about,
        messageIdCreated: true,
      },
      log,
    )
    log.main(incoming.id, line, { event: 'msg:received', sender: '', recipients: [to], about })
    services.accepted(spooled, { next: services.queueing === 'queue' ? 'queue' : 'deliver' })
    return true
  } catch (problem) {
    if (!(problem instanceof SpoolError)) throw problem
    log.panic(incoming.id, `spool: ${problem.message}`)
    return false
  }
}

async function copyOf(transaction: Transaction, receiver: MessageReceiver): Promise<ByteString> {
  const { message } = transaction
  const made = message.headers.filter((header) => header.type !== '*' && header.type !== 'P')
  const headers = made.length > 0 ? made.map((header) => header.text).join('') : receiver.headerText
  const body = (await receiver.incoming?.peek(copyLimitBytes)) ?? new Uint8Array()
  return `${headers}\n${fromBytes(body)}`
}

function subjectOf(error: LocalError): ByteString {
  switch (error.is) {
    case 'bad-argument':
    case 'bad-headers':
      return 'malformed recipient address'
    case 'no-recipients':
    case 'all-overridden':
      return 'no recipient addresses'
    case 'acl':
      return 'rejected by local scanning code'
    case 'too-big':
      return 'message too big'
  }
}

function textFor(error: LocalError): ByteString {
  switch (error.is) {
    case 'bad-argument':
      return (
        'A message that you sent contained a recipient address that was incorrectly\nconstructed:\n\n' +
        `  ${error.address}  ${error.problem}\n\n` +
        'The message has not been delivered to any recipients.\n'
      )
    case 'bad-headers':
      return badHeadersText(error.bad, error.others)
    case 'no-recipients':
      return 'A message that you sent contained no recipient addresses, and therefore no\ndelivery could be attempted.\n'
    case 'all-overridden':
      return (
        'A message that you sent using the -t command line option contained no\naddresses that were not also on the ' +
        'command line, and were therefore\nsuppressed. This left no recipient addresses, and so no delivery could\nbe attempted.\n'
      )
    case 'acl':
      return `A message that you sent was rejected by the local scanning code that\nchecks incoming messages on this system. The following error was given:\n\n  ${error.problem}\n`
    case 'too-big':
      return `A message that you sent was longer than the maximum size allowed on this\nsystem. It was not delivered to any recipients.\n`
  }
}

function badHeadersText(bad: readonly BadAddress[], others: boolean): ByteString {
  const list = bad.map((one) => `  ${one.text}: ${one.problem}\n`).join('')
  const these = bad.length > 1 ? 'These addresses have been ignored.' : 'This address has been ignored.'
  const rest = others
    ? 'The other addresses in the message were\nsyntactically valid and have been passed on for an attempt at delivery.\n'
    : 'There were no other addresses in your\nmessage, and so no attempt at delivery was possible.\n'
  return (
    'A message that you sent contained one or more recipient addresses that were\nincorrectly constructed:\n\n' +
    `${list}\n${these} ${rest}`
  )
}
