/** The note to whom `freeze_tell` names when a message is frozen. Source: observed of Exim 4.96. */
import type { ByteString } from '../../../base/text.ts'
import type { Envelope } from '../../../mail/envelope.ts'
import { referencesTo } from '../../../mail/references.ts'
import type { Context } from '../../../ports.ts'
import { namedRecipients } from '../../named-recipients.ts'
import type { Attempt } from '../attempt.ts'
import type { GeneratedMessage } from '../deps.ts'
import { fromLine, referencesLine, withoutControls } from './report-parts.ts'

/** Of a message that an ACL has frozen. */
export async function arrivedFrozen(
  { id, sender, headers }: Envelope,
  to: ByteString,
  context: Context,
): Promise<GeneratedMessage> {
  const references = referencesTo(headers)
  const text =
    `Auto-Submitted: auto-replied\n${await fromLine({ context })}To: ${to}\n` +
    `${references === '' ? '' : `References: ${references}\n`}Subject: Message frozen on arrival\n\n` +
    `Message ${id} was frozen on arrival by ACL.\nThe sender is <${sender}>.\n`
  const recipients = namedRecipients(to, id, context.ports)
  return { sender: '', recipients, text: withoutControls(text), about: id, isReport: true }
}

export async function frozenNotice(
  attempt: Attempt,
  to: ByteString,
  reason: ByteString,
): Promise<GeneratedMessage> {
  const { envelope } = attempt
  let text = 'Auto-Submitted: auto-replied\n'
  text += await fromLine(attempt)
  text += `To: ${to}\n${referencesLine(attempt)}Subject: Message frozen\n\n`
  text += `Message ${envelope.id} has been frozen${reason === '' ? '' : ` (${reason})`}.\n`
  text += `The sender is <${envelope.sender}>.\n\nThe following address(es) have yet to be delivered:\n`
  // The last one first: so it was observed.
  for (const one of attempt.deferred.toReversed()) {
    text += `  ${one.address}: ${one.error.message ?? one.error.errorText ?? ''}\n`
  }
  for (const one of attempt.failed) text += `  ${one.address}: ${one.message}\n`
  const recipients = namedRecipients(to, envelope.id, attempt.context.ports)
  return { sender: '', recipients, text: withoutControls(text), about: envelope.id, isReport: true }
}
