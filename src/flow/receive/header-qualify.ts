/** Addresses in header lines without a domain get one. Source: Exim manual, "Unqualified addresses". */
import type { ByteString } from '../../base/text.ts'
import { splitAddressList } from '../../mail/address-list.ts'
import type { Header } from '../../mail/envelope.ts'
import { headerBody } from '../../mail/header.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import { clientMatches } from './matching.ts'
import type { Session } from './session-state.ts'

const senderTypes = 'FRS'
const recipientTypes = 'BCT'

/** Qualifies for local messages, and for clients that may send unqualified addresses in commands. */
export async function qualifyHeaders(
  session: Session,
  headers: readonly Header[],
  localToo: boolean,
): Promise<Header[]> {
  const { settings, context } = session
  const local = (!session.remote || session.connection.kind === 'local') && localToo
  const senders = local || (await clientMatches(settings.sender_unqualified_hosts, context))
  const recipients = local || (await clientMatches(settings.recipient_unqualified_hosts, context))
  if (!senders && !recipients) return [...headers]
  const message = session.transaction?.message
  if (message !== undefined) message.allowUnqualified = { senders, recipients }
  const { qualifyDomain, qualifyRecipient } = context.server
  return headers.flatMap((header) => {
    if (senders && senderTypes.includes(header.type)) return qualifyHeader(header, qualifyDomain)
    if (recipients && recipientTypes.includes(header.type)) return qualifyHeader(header, qualifyRecipient)
    return [header]
  })
}

/** The header as it was stays, marked as replaced. */
function qualifyHeader(header: Header, domain: ByteString): Header[] {
  const body = headerBody(header.text)
  const offset = header.text.length - body.length
  let text = header.text
  // From the end, so that places before stay true.
  for (const item of splitAddressList(body).toReversed()) {
    const parsed = parseAddress(item.text)
    if (parsed.is !== 'address' || parsed.domain !== '' || parsed.localPart === '') continue
    const end = offset + item.start + parsed.end
    text = `${text.slice(0, end)}@${domain}${text.slice(end)}`
  }
  return text === header.text
    ? [header]
    : [
        { type: '*', text: header.text },
        { type: header.type, text },
      ]
}
