/** The lines that follow a refusal in the reject log: envelope and headers. Selector `rejected_header`. */
import type { ByteString } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { splitHeaders } from '../../mail/header.ts'
import type { Session } from './session-state.ts'

/** Observed of Exim 4.96. */
const mostRecipients = 5

/**
 * @param section the header section as it came, for when no headers have been made of it yet
 * @param headers the headers with the Received: line put before them
 */
export function rejectDetail(
  session: Session,
  section: ByteString,
  headers: readonly Header[] | undefined,
): readonly ByteString[] | undefined {
  if (!session.log.selects('rejected_header')) return undefined
  const transaction = session.transaction
  if (transaction === undefined) return undefined
  const lines = [`Envelope-from: <${transaction.message.sender ?? ''}>`]
  transaction.recipients.slice(0, mostRecipients).forEach((one, index) => {
    lines.push(`${index === 0 ? 'Envelope-to: ' : '    '}<${one.address}>`)
  })
  if (transaction.recipients.length > mostRecipients) lines.push('    ...')
  for (const header of headers ?? splitHeaders(section)) {
    const text = header.text.endsWith('\n') ? header.text.slice(0, -1) : header.text
    lines.push(...`${header.type} ${text}`.split('\n'))
  }
  return lines
}
