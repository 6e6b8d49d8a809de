/**
 * `percent_hack_domains`: `user%other.example@hack.example` is read as `user@other.example`.
 * Source: Exim manual, "percent_hack_domains"; so Exim 4.96 does it, again and again while the domain is listed.
 */
import { type ByteString, taint } from '../base/text.ts'
import { splitAddress, unquotedLocalPart } from '../mail/address.ts'
import type { AddressFacts, Context } from '../ports.ts'

export interface AddressParts {
  /** Without quotes. */
  readonly localPart: ByteString
  readonly domain: ByteString
}

export type Hacked =
  | { readonly is: 'as it was' }
  | ({ readonly is: 'hacked' } & AddressParts)
  | { readonly is: 'defer'; readonly message: string }

export async function percentHack(parts: AddressParts, context: Context): Promise<Hacked> {
  const list = context.settings.percent_hack_domains
  let { localPart, domain } = parts
  if (list === undefined) return { is: 'as it was' }
  for (;;) {
    const percent = localPart.lastIndexOf('%')
    if (percent < 0) break
    const found = await context.ports.matchList('domain', list, taint(domain, '$domain'), context)
    if (found.is === 'no') break
    if (found.is !== 'match') return { is: 'defer', message: `percent_hack_domains: ${found.message}` }
    domain = localPart.slice(percent + 1).toLowerCase()
    localPart = localPart.slice(0, percent)
  }
  return localPart === parts.localPart ? { is: 'as it was' } : { is: 'hacked', localPart, domain }
}

/** What ACLs and lists see of a recipient: no quotes, the percent hack done. */
export async function recipientFacts(
  address: ByteString,
  context: Context,
): Promise<AddressFacts | { readonly is: 'defer'; readonly message: string }> {
  const { localPart: written, domain } = splitAddress(address)
  const localPart = unquotedLocalPart(written)
  const hacked = await percentHack({ localPart, domain }, context)
  if (hacked.is === 'defer') return hacked
  const parts = hacked.is === 'hacked' ? hacked : { localPart, domain }
  return { localPart: parts.localPart, domain: parts.domain, whole: address }
}
