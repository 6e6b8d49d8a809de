/** The headers of a message that has been read: cut, completed, rewritten, with our Received: line before them. */
import type { Header } from '../../mail/envelope.ts'
import { splitHeaders, withoutBlankEnd } from '../../mail/header.ts'
import type { Reception } from '../../mail/log-lines.ts'
import { messageIdHeader } from '../../mail/message-id.ts'
import type { ConnectionFacts, MessageFacts } from '../../ports.ts'
import { mergeAddedHeaders, removeNamed } from './added-headers.ts'
import type { MessageReceiver } from './body.ts'
import { callerName } from './caller-name.ts'
import { fixSubmission, removeTransitHeaders } from './header-fixups.ts'
import { qualifyHeaders } from './header-qualify.ts'
import { receivedHeader, withTime } from './received-header.ts'
import type { Session, Transaction } from './session-state.ts'

export type Prepared =
  | {
      readonly is: 'ready'
      readonly messageId: Reception['messageId']
      readonly received: Header | undefined
    }
  | { readonly is: 'problem'; readonly problem: string }

/** What of the preparation depends on the way a message came. */
export interface PrepareOptions {
  readonly notSmtp?: boolean
  /** The headers, when they have been cut already. */
  readonly headers?: readonly Header[]
  readonly fullName?: string | undefined
  /** `-bnq`: addresses in headers stay unqualified. */
  readonly qualify?: boolean | undefined
}

/** Fills in the message's headers and sizes, so that the data ACL sees the message as it will be kept. */
export async function prepareHeaders(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  options: PrepareOptions = submittedOptions(session),
): Promise<Prepared> {
  const { message, context } = transaction
  const { caller } = session.connection
  let headers = removeTransitHeaders(
    (options.headers ?? splitHeaders(receiver.headerText)).map(withoutBlankEnd),
    session.settings,
  )
  message.headers = headers
  message.receivedCount = headers.filter((header) => header.type === 'P').length + 1
  const sender = message.sender ?? ''
  const fixed = await fixSubmission(
    headers,
    {
      id: message.id,
      receivedAt: message.receivedAt,
      caller:
        caller === undefined || session.remote
          ? undefined
          : { login: caller.login, name: await callerName(caller, context), trusted: caller.trusted },
      fullName: options.fullName,
      // Rules see the addresses that are made here: they are made of the sender as it came.
      sender: message.rawSender ?? sender,
      notSmtp: options.notSmtp ?? false,
    },
    context,
  )
  headers = await qualifyHeaders(session, fixed.headers, options.qualify ?? true)
  if (fixed.sender !== message.rawSender) {
    message.sender = (await session.services.rewriting?.sender(fixed.sender, context)) ?? fixed.sender
  }
  message.headers = headers
  if (session.services.rewriting !== undefined) {
    headers = [...(await session.services.rewriting.headers(headers, context))]
    message.headers = headers
  }
  const recipients = transaction.recipients
  message.receivedFor = recipients.length === 1 ? recipients[0]?.address : undefined
  const received = await receivedHeader(context, message.receivedAt)
  if (received !== undefined && 'problem' in received) {
    return { is: 'problem', problem: `failed to expand received_header_text: ${received.problem}` }
  }
  message.headers = received === undefined ? headers : [received, ...headers]
  applyAclHeaders(message)
  await describeBody(session, transaction, receiver)
  const messageId = { header: messageIdHeader(headers), created: fixed.messageIdCreated }
  return { is: 'ready', messageId, received }
}

const key = 'submission'

type Submitted = Pick<PrepareOptions, 'fullName' | 'qualify'> & {
  /** Headers are left as they are. */
  readonly gateway?: boolean
}

/** What the command line of `-bs` and `-bS` said of the messages in the dialogue: `-F`, `-bnq`, `-G`. */
export function noteSubmission({ extra }: Pick<ConnectionFacts, 'extra'>, options: Submitted): void {
  if (options.fullName !== undefined || options.qualify === false || options.gateway === true)
    extra.set(key, options)
}

export function submittedOptions({ connection }: Session): Submitted {
  // Only `noteSubmission` stores under this key.
  return (connection.extra.get(key) as Submitted | undefined) ?? {}
}

/** `$message_body` and its kin. */
async function describeBody(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
): Promise<void> {
  const { message } = transaction
  message.bodySize = receiver.bodySize
  message.bodyLines = receiver.bodyLines
  message.bodyZeros = receiver.bodyZeros
  message.receivedLines = receiver.headerText.split('\n').length + receiver.bodyLines
  message.maxReceivedLineLength = receiver.maxLineLength
  // As it came, without what is added here: observed of Exim 4.96.
  message.size = receiver.sizeBytes
  const visible = session.settings.message_body_visible
  const { acl_smtp_data, acl_smtp_mime, acl_not_smtp, acl_not_smtp_mime } = session.settings
  const needed = [acl_smtp_data, acl_smtp_mime, acl_not_smtp, acl_not_smtp_mime].some(
    (acl) => acl !== undefined,
  )
  if (!needed || visible <= 0 || receiver.incoming === undefined) return
  const start = Buffer.from(await receiver.incoming.peek(visible)).toString('latin1')
  const end = Buffer.from(await receiver.incoming.peekEnd(visible)).toString('latin1')
  message.body = { start, end }
}

/** Headers that are kept, the blank line, the body: what `S=` and, once the message is accepted, `$message_size` say. */
export function totalSize(headers: readonly Header[], bodySize: number): number {
  let size = bodySize + 1
  for (const header of headers) if (header.type !== '*') size += header.text.length
  return size
}

/** Adds what the ACLs added, and sets the Received: line to the time of acceptance. */
export function mergeAclHeaders(
  session: Session,
  transaction: Transaction,
  prepared: Extract<Prepared, { is: 'ready' }>,
): readonly Header[] {
  const { message } = transaction
  const now = session.context.ports.now()
  applyAclHeaders(message)
  const { received } = prepared
  const merged = message.headers.map((header) =>
    received !== undefined && header.text === received.text ? withTime(header, now) : header,
  )
  message.headers = merged
  message.receivedLines = undefined
  message.size = totalSize(merged, message.bodySize)
  return merged
}

/** What ACLs added and removed so far is done, so that the next one sees it. Source: Exim manual, "Adding header lines in ACLs". */
export function applyAclHeaders(message: MessageFacts): void {
  const { headersRemoved = [], headersAdded } = message
  if (headersRemoved.length > 0) {
    message.headers = removeNamed(message.headers, headersRemoved)
    message.headersRemoved = []
  }
  if (headersAdded.length > 0) {
    message.headers = mergeAddedHeaders(message.headers, headersAdded)
    headersAdded.length = 0
  }
}
