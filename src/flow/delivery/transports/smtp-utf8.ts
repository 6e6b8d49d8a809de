/** Addresses beyond ASCII on their way out. Source: RFC 6531 section 3.2; Exim manual, "Internationalisation support". */
import { domainToASCII } from 'node:url'
import { type ByteString, decodeUtf8 } from '../../../base/text.ts'
import { splitAddress } from '../../../mail/address.ts'
import type { Offers } from '../../../wire/smtp/client.ts'
import type { TransactionRequest } from './smtp-transaction.ts'

const beyondAscii = /[\x80-\xff]/

/**
 * The request as this server can take it; `refused`: it cannot.
 * @param downconvert `utf8_downconvert`: 1 always, 0 never, -1 where the server does not know SMTPUTF8
 */
export function forServer(
  request: TransactionRequest,
  offers: Offers,
  downconvert: number,
): TransactionRequest | { readonly is: 'refused'; readonly message: string } {
  const addresses = [request.sender, ...request.recipients.map((one) => one.address)]
  const needed = addresses.some((address) => beyondAscii.test(address))
  const convert = downconvert === 1 || (downconvert === -1 && !offers.smtputf8)
  if (!needed) {
    // A client may ask for SMTPUTF8 and then not need it: what is all ASCII goes to any server.
    if (!request.smtputf8 || offers.smtputf8 || !beyondAscii.test(request.head)) return request
    return { is: 'refused', message: 'utf8 support required but not offered for forwarding' }
  }
  // Bytes beyond ASCII that came without SMTPUTF8 go on as they came: the other recipients must not suffer for them.
  if (!offers.smtputf8 && !request.smtputf8 && !convertible(addresses)) return request
  if (!convert) {
    return offers.smtputf8
      ? { ...request, smtputf8: true }
      : { is: 'refused', message: 'utf8 support required but not offered for forwarding' }
  }
  const sender = asciiAddress(request.sender)
  const recipients = request.recipients.map((one) => ({ ...one, address: asciiAddress(one.address) }))
  const wrong = recipients.some((one) => one.address === undefined)
  if (sender === undefined || wrong) {
    return { is: 'refused', message: 'utf8 support required but not offered for forwarding' }
  }
  return {
    ...request,
    sender,
    smtputf8: false,
    // None is undefined: looked at above.
    recipients: recipients.map((one) => ({ ...one, address: one.address ?? '' })),
  }
}

function convertible(addresses: readonly ByteString[]): boolean {
  return addresses.every((address) => asciiAddress(address) !== undefined)
}

/** The domain in its ASCII form; undefined: the local part has none. */
function asciiAddress(address: ByteString): ByteString | undefined {
  if (!beyondAscii.test(address)) return address
  const { localPart, domain } = splitAddress(address)
  if (beyondAscii.test(localPart)) return undefined
  const ascii = domainToASCII(decodeUtf8(domain))
  return ascii === '' ? undefined : `${localPart}@${ascii}`
}
