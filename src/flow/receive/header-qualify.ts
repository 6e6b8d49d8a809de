/** Addresses in header lines without a domain get one. Source: Exim manual, "Unqualified addresses". */
import type { ByteString } from '../../base/text.ts'
import type { Header } from '../../mail/envelope.ts'
import { HeaderWriter } from '../../mail/header-writer.ts'
import { parseAddress, type ParseAddressOptions } from '../../mail/parse-address.ts'
import { clientMatches } from './matching.ts'
import type { Session } from './session-state.ts'

const itemLimit = 10_000
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
  // Rules see addresses with their domains: they are looked at in one go.
  if (session.services.rewriting !== undefined) return [...headers]
  const options = { allowUtf8Domains: true, stripAngleBrackets: settings.strip_excess_angle_brackets }
  const { qualifyDomain, qualifyRecipient } = context.server
  return headers.flatMap((header) => {
    if (senders && senderTypes.includes(header.type)) return qualifyHeader(header, qualifyDomain, options)
    if (recipients && recipientTypes.includes(header.type))
      return qualifyHeader(header, qualifyRecipient, options)
    return [header]
  })
}

/** The header as it was stays, marked as replaced. */
function qualifyHeader(header: Header, domain: ByteString, options: ParseAddressOptions): Header[] {
  const writer = new HeaderWriter(header.text, header.text.indexOf(':') + 1)
  for (let count = 0; count < itemLimit && writer.findItem(); count++) {
    const parsed = parseAddress(writer.item, options)
    if (parsed.is !== 'address' || parsed.domain !== '' || parsed.localPart === '') writer.keep()
    else writer.replace(parsed.start, parsed.end, `${parsed.address}@${domain}`)
  }
  const text = writer.finish()
  if (text === undefined) return [header]
  return [
    { type: '*', text: header.text },
    { type: header.type, text },
  ]
}
