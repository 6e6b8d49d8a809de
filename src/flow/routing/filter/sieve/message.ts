/** What tests see of a message: headers in UTF-8, addresses and their parts, the envelope. */
import { type ByteString, textOf } from '../../../../base/text.ts'
import { parseAddressList, splitAddress } from '../../../../mail/address.ts'
import { headerBody, headerHasName, unfold } from '../../../../mail/header.ts'
import { decodeWords } from '../../../../mail/rfc2047.ts'
import type { Context } from '../../../../ports.ts'

/** Values of all headers of a name, decoded: RFC 5228 section 2.7.2. */
export function headerValues(name: ByteString, context: Context): ByteString[] {
  return rawValues(name, context).map((value) => {
    const decoded = decodeWords(value, {
      charset: 'utf-8',
      checkLength: context.settings.check_rfc2047_length,
    })
    return 'error' in decoded ? value : decoded.text
  })
}

export function addressValues(name: ByteString, context: Context): ByteString[] {
  return rawValues(name, context)
    .flatMap((value) => parseAddressList(value))
    .flatMap((one) => ('address' in one ? [one.address] : []))
}

function rawValues(name: ByteString, context: Context): ByteString[] {
  const lower = name.toLowerCase()
  const headers = context.message?.headers ?? []
  return headers
    .filter((header) => header.type !== '*' && headerHasName(header, lower))
    .map((header) => unfold(headerBody(header)).trim())
}

export type AddressPart = 'all' | 'localpart' | 'domain' | 'user' | 'detail'

/** RFC 5233: undefined where the address has no such part. */
export function partOf(address: ByteString, part: AddressPart): ByteString | undefined {
  const { localPart, domain } = splitAddress(address)
  switch (part) {
    case 'all':
      return address
    case 'localpart':
      return localPart
    case 'domain':
      return domain
    case 'user': {
      const at = localPart.indexOf('+')
      return at < 0 ? localPart : localPart.slice(0, at)
    }
    case 'detail': {
      const at = localPart.indexOf('+')
      return at < 0 ? undefined : localPart.slice(at + 1)
    }
  }
}

/** The recipient as the message came for it, prefix and suffix included. */
export function envelopeTo({ address }: Context): ByteString {
  if (address === undefined) return ''
  const { prefix = '', localPart, suffix = '', domain } = address
  return `${prefix}${localPart}${suffix}@${domain}`
}

export function envelopeFrom({ delivery, message }: Context): ByteString {
  return textOf(delivery?.returnPath ?? message?.sender ?? '')
}
