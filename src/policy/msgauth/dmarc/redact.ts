/** What failure reports do not give away. Sources: RFC 6590; RFC 9991 section 7. */
import { createHmac } from 'node:crypto'
import type { ByteString } from '../../../base/text.ts'

/** Headers whose ids look like addresses and are none; DKIM signatures would be of no use changed. */
const keptWhole =
  /^(?:message-id|references|in-reply-to|resent-message-id|dkim-signature|arc-[a-z-]+|content-id)$/

/**
 * Local parts become words that tell nothing and are the same each time; `http` becomes `hxxp`.
 * @param secret of this installation, so that nobody else can try names
 */
export function redactHeader(text: ByteString, secret: string): ByteString {
  const colon = text.indexOf(':')
  const name = text.slice(0, colon).trim().toLowerCase()
  if (keptWhole.test(name)) return text
  return redactText(text.slice(0, colon + 1), secret) + redactText(text.slice(colon + 1), secret)
}

export function redactText(text: ByteString, secret: string): ByteString {
  return text
    .replaceAll(
      /("(?:[^"\\\n]|\\.){0,200}"|[^\s<>()[\]",;:@=]{1,200})@([A-Za-z0-9._[\]-]+)/g,
      (_, local: string, domain: string) => `${redactLocalPart(local, secret)}@${domain}`,
    )
    .replaceAll(/\bhttp(s?):\/\//gi, 'hxxp$1://')
}

/** RFC 6590 section 3: a keyed hash, so that reports about the same address can be seen to belong together. */
export function redactLocalPart(local: ByteString, secret: string): string {
  return createHmac('sha256', secret).update(local.toLowerCase(), 'latin1').digest('base64url').slice(0, 16)
}
