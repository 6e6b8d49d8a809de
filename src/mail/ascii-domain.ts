/** Domain names with internationalized labels in the form that the DNS knows. Source: RFC 5890, RFC 8616 section 4. */
import { domainToASCII } from 'node:url'
import { type ByteString, decodeUtf8 } from '../base/text.ts'

/** A domain with internationalized labels (UTF-8) in its ASCII form; without the dot at its end; others stay. */
export function asciiDomain(domain: ByteString): ByteString {
  const bare = domain.endsWith('.') ? domain.slice(0, -1) : domain
  if (/^[\x00-\x7f]*$/.test(bare)) return bare
  const ascii = domainToASCII(decodeUtf8(bare))
  return ascii === '' ? bare : ascii
}
