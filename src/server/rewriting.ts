/**
 * Rewriting while a message comes in: envelope addresses and the addresses in its headers.
 * Source: Exim manual, "Address rewriting".
 */
import type { ByteString } from '../base/text.ts'
import { rewriteAddress, type RewritePlace } from '../flow/routing/rewrite/rewrite-address.ts'
import type { Rewriting } from '../flow/receive/services.ts'
import type { RewriteRule } from '../language/config/configuration.ts'
import type { Header } from '../mail/envelope.ts'
import { endOfAddress, parseAddress } from '../mail/parse-address.ts'
import type { Context } from '../ports.ts'

const headerPlaces: Readonly<Record<string, RewritePlace>> = {
  'from:': 'f',
  'to:': 't',
  'cc:': 'c',
  'bcc:': 'b',
  'reply-to:': 'r',
  'sender:': 's',
  'resent-from:': 'f',
  'resent-to:': 't',
  'resent-cc:': 'c',
  'resent-bcc:': 'b',
  'resent-reply-to:': 'r',
  'resent-sender:': 's',
}

/** Undefined when the configuration has no rules: then nothing need be looked at. */
export function createRewriting(rules: readonly RewriteRule[]): Rewriting | undefined {
  if (rules.length === 0) return undefined
  const one = async (address: ByteString, place: RewritePlace, context: Context): Promise<ByteString> =>
    address === '' ? address : (await rewriteAddress(address, place, rules, context)).address
  return {
    sender: (address, context) => one(address, 'F', context),
    recipient: (address, context) => one(address, 'T', context),
    async headers(headers, context) {
      const done: Header[] = []
      for (const header of headers) done.push(...(await rewriteHeader(header, rules, context)))
      return done
    },
  }
}

/** The header as it was is kept, marked as replaced, when a rule changed it. */
async function rewriteHeader(
  header: Header,
  rules: readonly RewriteRule[],
  context: Context,
): Promise<readonly Header[]> {
  const colon = header.text.indexOf(':')
  const place =
    headerPlaces[
      header.text
        .slice(0, colon + 1)
        .replace(/\s+:$/, ':')
        .toLowerCase()
    ]
  if (place === undefined || header.type === '*') return [header]
  let changed = false
  let text = header.text.slice(0, colon + 1)
  const body = header.text.slice(colon + 1)
  for (let at = 0; at < body.length; ) {
    const end = endOfAddress(body, at, false)
    const item = body.slice(at, end)
    const parsed = parseAddress(item.replace(/\n$/, ''))
    if (parsed.is === 'address' && parsed.domain !== '') {
      const result = await rewriteAddress(parsed.address, place, rules, context)
      changed ||= result.changed
      const replaced =
        result.whole === undefined
          ? item.slice(0, parsed.start) + result.address + item.slice(parsed.end)
          : ` ${result.whole}${item.endsWith('\n') ? '\n' : ''}`
      text += result.changed ? replaced : item
    } else text += item
    if (end < body.length) text += body[end] ?? ''
    at = end + 1
  }
  return changed
    ? [
        { ...header, type: '*' },
        { type: header.type, text },
      ]
    : [header]
}
