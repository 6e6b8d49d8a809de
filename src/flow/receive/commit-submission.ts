/** The last step of a local submission: the envelope on disk, its line in the log, delivery told. */
import type { ByteString } from '../../base/text.ts'
import type { Envelope } from '../../mail/envelope.ts'
import { type Reception, receivedLine } from '../../mail/log-lines.ts'
import type { AclResult } from '../../ports.ts'
import { type SpooledMessage, SpoolError } from '../../store/spool/api.ts'
import type { MessageReceiver } from './body.ts'
import { logDiscarded } from './discarded.ts'
import { frozenByAcl } from './frozen-by-acl.ts'
import { makeEnvelope } from './envelope-of.ts'
import { mergeAclHeaders, type Prepared } from './prepare.ts'
import { deliverHow } from './queueing.ts'
import type { Accepted } from './services.ts'
import type { Session, Transaction } from './session-state.ts'

export type Submitted =
  | { readonly is: 'taken'; readonly message: SpooledMessage; readonly how: Accepted }
  /** Taken, and thrown away as an ACL asked. */
  | { readonly is: 'discarded' }
  | { readonly is: 'refused'; readonly problem: string }

/**
 * Commits a message whose headers are prepared.
 * @param done addresses among the recipients that are not to be delivered to
 */
export async function commitSubmission(
  session: Session,
  transaction: Transaction,
  receiver: MessageReceiver,
  prepared: Extract<Prepared, { is: 'ready' }>,
  done: readonly ByteString[],
  /** That of an ACL that throws the message away. */
  discard?: AclResult,
): Promise<Submitted> {
  const headers = mergeAclHeaders(session, transaction, prepared)
  const envelope: Envelope = { ...makeEnvelope(session, transaction, receiver, headers), done }
  const { log } = session
  const id = envelope.id
  if (discard !== undefined || envelope.recipients.length === 0) {
    await receiver.abort()
    logReceived(session, transaction, envelope, prepared.messageId)
    logDiscarded(log, id, 'non-SMTP', discard)
    return { is: 'discarded' }
  }
  if (receiver.incoming === undefined) throw new Error('nothing to commit')
  try {
    const message = await receiver.incoming.commit(envelope)
    logReceived(session, transaction, envelope, prepared.messageId)
    await frozenByAcl(session, transaction, envelope)
    session.messagesAccepted++
    const how = deliverHow(session, transaction)
    session.services.accepted(message, how)
    return { is: 'taken', message, how }
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error
    log.panic(id, `spool: ${error.message}`, { event: 'spool:error', code: error.code })
    return { is: 'refused', problem: `spool: ${error.message}` }
  }
}

function logReceived(
  session: Session,
  transaction: Transaction,
  envelope: Envelope,
  messageId: Reception['messageId'],
): void {
  const line = receivedLine(
    {
      envelope,
      connection: session.connection,
      sizeBytes: transaction.message.size,
      body8bitmime: 0,
      chunking: false,
      pipelining: undefined,
      prdr: false,
      rawSender: transaction.rawSender,
      rawRecipients: transaction.recipients.map((one) => one.raw),
      about: session.services.reference,
      messageId,
    },
    session.log,
  )
  const decided = transaction.acceptedBy
  session.log.main(envelope.id, line, {
    event: 'msg:received',
    sender: envelope.sender,
    recipients: envelope.recipients.map((one) => one.address),
    size: transaction.message.size,
    protocol: envelope.protocol,
    decidedBy:
      decided === undefined ? undefined : { name: decided.acl, file: decided.file, line: decided.line },
  })
}
