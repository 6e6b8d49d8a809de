/**
 * The domain of a message's author: what stands in its From: header, read so that no reader of the message can
 * find another one there. Whatever two readers could read in two ways has no domain.
 * Sources: RFC 5322 sections 3.4 and 3.6.2, RFC 9989 sections 4.2, 5.3.1 and 11.5; Chen, Paxson and Jiang, "Composition
 * Kills: A Case Study of Email Sender Authentication" (2020).
 */
import type { ByteString } from '../../../base/text.ts'
import { asciiDomain } from '../../../mail/ascii-domain.ts'
import type { Header } from '../../../mail/envelope.ts'
import { headerBody, isNamed } from '../../../mail/header.ts'
import { readMailboxes } from './mailboxes.ts'

export type Author =
  | { readonly is: 'domain'; readonly domain: ByteString }
  /** Addresses of different domains in one header. */
  | { readonly is: 'several'; readonly domains: readonly ByteString[] }
  | { readonly is: 'none'; readonly problem: string }

/** More addresses than this are no author. */
const MOST_ADDRESSES = 50

export function authorOf(headers: readonly Pick<Header, 'type' | 'text'>[]): Author {
  const living = headers.filter((header) => header.type !== '*')
  const from = living.filter((header) => isNamed(header, 'from'))
  const [only] = from
  if (only === undefined) {
    return living.some(looksLikeFrom) ? none('a header that some take for From:') : none('no From: header')
  }
  if (from.length > 1) return none('several From: headers')
  if (living.some((header) => header !== only && looksLikeFrom(header))) {
    return none('another header that some take for From:')
  }
  // RFC 5322 section 3.6.8 forbids white space before the colon; readers disagree about such a header.
  if (!/^from:/i.test(only.text)) return none('white space before the colon of From:')
  return authorIn(headerBody(only))
}

/** The author by the body of a From: header. */
export function authorIn(body: ByteString): Author {
  const found = readMailboxes(body, MOST_ADDRESSES)
  if ('problem' in found) return none(found.problem)
  const domains = new Set<ByteString>()
  for (const domain of found.domains) {
    const name = domainName(domain)
    if (name === undefined) return none('an address without a domain name')
    domains.add(name)
  }
  const [first, ...others] = domains
  if (first === undefined) return none('no address')
  return others.length === 0
    ? { is: 'domain', domain: first }
    : { is: 'several', domains: [first, ...others] }
}

function none(problem: string): Author {
  return { is: 'none', problem }
}

/** A name that becomes From when a reader drops what does not belong there: zero bytes, white space, 8-bit characters. */
function looksLikeFrom(header: Pick<Header, 'text'>): boolean {
  if (isNamed(header, 'from')) return false
  const colon = header.text.indexOf(':')
  if (colon < 4 || colon > 100) return false
  return (
    header.text
      .slice(0, colon)
      .replaceAll(/[^A-Za-z-]/g, '')
      .toLowerCase() === 'from'
  )
}

/** In small letters, as the DNS has it: RFC 9989 section 5.3.1. Undefined for what is none, address literals too. */
function domainName(text: ByteString): ByteString | undefined {
  const ascii = asciiDomain(text).toLowerCase()
  if (ascii.length > 253) return undefined
  const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
  return ascii.split('.').every((each) => label.test(each)) ? ascii : undefined
}
