/** Which header names a message. */
import type { Header } from './envelope.ts'
import { isNamed } from './header.ts'

/** `Message-ID:`; of a message that has Resent- headers `Resent-Message-ID:` alone, as observed of Exim 4.96. */
export function messageIdHeader(headers: readonly Header[]): Header | undefined {
  const resent = headers.some((header) => header.type !== '*' && /^resent-/i.test(header.text))
  return resent
    ? headers.find((one) => one.type === 'I' && isNamed(one, 'Resent-Message-ID'))
    : headers.find((one) => one.type === 'I')
}
