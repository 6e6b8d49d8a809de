/** Recipients of a local submission: from arguments, and from the headers with `-t`. */
import type { ByteString } from '../../base/text.ts'
import { splitAddressList } from '../../mail/address-list.ts'
import type { Header } from '../../mail/envelope.ts'
import { headerBody, headerName } from '../../mail/header.ts'
import { endOfAddress, type ParseAddressOptions, parseAddress } from '../../mail/parse-address.ts'

/** An argument may hold several addresses between commas. */
export function splitRecipients(argument: ByteString): ByteString[] {
  const items: ByteString[] = []
  for (let at = 0; at < argument.length; ) {
    const end = endOfAddress(argument, at, false)
    const item = argument.slice(at, end).trim()
    if (item !== '') items.push(item)
    at = end + 1
  }
  return items
}

export interface BadAddress {
  readonly text: ByteString
  readonly problem: ByteString
}

export interface HeaderRecipients {
  /** In order, as often as they stand there: delivery knows duplicates. */
  readonly addresses: readonly { readonly raw: ByteString; readonly address: ByteString }[]
  readonly bad: readonly BadAddress[]
  /** With Bcc: marked as removed. */
  readonly headers: readonly Header[]
}

export interface HeaderRecipientsOptions {
  readonly options: ParseAddressOptions
  /** Undefined: unqualified addresses are bad (`-bnq`). */
  readonly qualifyRecipient: ByteString | undefined
}

/**
 * Takes recipients from To:, Cc: and Bcc:, or from their Resent- forms when there are any.
 * Source: Exim manual, "-t".
 */
export function recipientsFromHeaders(
  headers: readonly Header[],
  how: HeaderRecipientsOptions,
): HeaderRecipients {
  const resent = headers.some((header) => header.type !== '*' && /^resent-/i.test(header.text))
  const prefix = resent ? 'resent-' : ''
  const names = new Set([`${prefix}to`, `${prefix}cc`, `${prefix}bcc`])
  const addresses: { raw: ByteString; address: ByteString }[] = []
  const bad: BadAddress[] = []
  const kept = headers.map((header) => {
    const name = headerName(header.text)?.toLowerCase() ?? ''
    if (header.type === '*' || !names.has(name)) return header
    for (const item of splitAddressList(headerBody(header.text))) {
      const one = readOne(item.text, how)
      // A comment alone, as in "To: (none)", names nobody.
      if ('problem' in one && one.problem === 'empty address') continue
      if ('problem' in one) bad.push(one)
      else addresses.push(one)
    }
    return name === `${prefix}bcc` ? { type: '*', text: header.text } : header
  })
  return { addresses, bad, headers: kept }
}

function readOne(
  text: ByteString,
  how: HeaderRecipientsOptions,
): { readonly raw: ByteString; readonly address: ByteString } | BadAddress {
  const shown = text.replace(/\s*\n\s*/g, ' ')
  const parsed = parseAddress(text, how.options)
  if (parsed.is === 'error') return { text: shown, problem: parsed.message }
  if (parsed.domain !== '') return { raw: parsed.address, address: parsed.address }
  if (how.qualifyRecipient === undefined) {
    return { text: shown, problem: 'unqualified recipient address not allowed' }
  }
  return { raw: parsed.address, address: `${parsed.address}@${how.qualifyRecipient}` }
}
