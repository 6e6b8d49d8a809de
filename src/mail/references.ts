/** What an answer or a report refers to. Source: RFC 5322 section 3.6.4; of many, as many as Exim 4.96 keeps. */
import type { ByteString } from '../base/text.ts'
import type { Header } from './envelope.ts'
import { headerBody, isNamed } from './header.ts'
import { messageIdHeader } from './message-id.ts'

/** The body of its `References:`: what the message refers to, else what it answers, then the message; empty without a Message-ID. */
export function referencesTo(headers: readonly Header[]): ByteString {
  const id = messageIdHeader(headers)
  const own = id === undefined ? '' : headerBody(id).trim()
  return own === '' ? '' : [...earlier(headers), own].join(' ')
}

/** Of many the first and the latest. */
function earlier(headers: readonly Header[]): ByteString[] {
  const named = ['References', 'In-Reply-To'].map((name) =>
    headers.find((header) => header.type !== '*' && isNamed(header, name)),
  )
  const header = named.find((one) => one !== undefined)
  const ids = header === undefined ? [] : (headerBody(header).match(/<[^<>\s]*>/g) ?? [])
  return ids.length <= mostEarlier ? ids : [...ids.slice(0, 1), ...ids.slice(1 - mostEarlier)]
}

const mostEarlier = 12
