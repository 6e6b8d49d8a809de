/**
 * Mail that tells a local sender why a message was not taken: `-oem` and `-oee`.
 * Its words are Exim's, since programs and people look for them.
 */
import { isFailure } from '../../base/outcome.ts'
import { type ByteString, fromBytes, textOf } from '../../base/text.ts'
import type { MessageFacts } from '../../ports.ts'
import type { MessageReceiver } from './body.ts'
import type { BadAddress } from './local-recipients.ts'
import { submitOwn } from './own-message.ts'
import type { Session, Transaction } from './session-state.ts'

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
      `Error while reading message with no usable sender address: ${error.is === 'acl' ? `rejected by non-SMTP ACL: ${error.problem}` : subjectOf(error)}`,
    )
    return false
  }
  const copy = await copyOf(transaction, receiver, error)
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
  const { server, ports } = session.context
  const login = ports.accounts.byUid(server.eximUid)?.name ?? `uid${server.eximUid}`
  const from = await ports.expand(session.settings.dsn_from, session.context)
  // A message with a bad argument has not begun, so far as its sender knows.
  const about = error.is === 'bad-argument' ? '' : transaction.message.id
  const references = about === '' ? undefined : referenceTo(transaction.message, server.primaryHostname)
  const lines = [
    'Auto-Submitted: auto-replied',
    `From: ${isFailure(from) ? `Mail Delivery System <Mailer-Daemon@${server.qualifyDomain}>` : textOf(from)}`,
    `To: ${to}`,
    ...(references === undefined ? [] : [`References: ${references}`]),
    `Subject: Mail failure - ${subjectOf(error)}`,
  ]
  const text = `${lines.join('\n')}\n\n${body}`
  const submitted = await submitOwn(
    { sender: '', recipients: [to], text, about, isReport: true },
    { login, uid: server.eximUid, gid: server.eximGid },
    // `-odq` was said of the message, not of what tells its sender: observed of Exim 4.96.
    { ...session.services, queueing: undefined },
  )
  if (submitted.is === 'accepted') return true
  session.log.main(about || undefined, 'Child mail process returned status 1')
  return false
}

/** `References:` to the message that was not taken. */
function referenceTo(message: MessageFacts, host: string): ByteString {
  const header = message.headers.find((one) => one.type === 'I')
  const value = header?.text.slice(header.text.indexOf(':') + 1).trim()
  return value === undefined || value === '' ? `<E${message.id}@${host}>` : value
}

/** The headers as they are by now: what an ACL refused has its Received: line already. */
async function copyOf(
  { message }: Transaction,
  receiver: MessageReceiver,
  error: LocalError,
): Promise<ByteString> {
  const made = message.headers.filter(
    (header) => header.type !== '*' && (error.is === 'acl' || header.type !== 'P'),
  )
  const headers = made.length > 0 ? made.map((header) => header.text).join('') : receiver.headerText
  const body = (await receiver.incoming?.peek(copyLimitBytes)) ?? new Uint8Array()
  // Observed of Exim 4.96: a message that is given up before it begins stands after an empty line.
  return `${error.is === 'bad-argument' ? '\n' : ''}${headers}\n${fromBytes(body)}`
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
