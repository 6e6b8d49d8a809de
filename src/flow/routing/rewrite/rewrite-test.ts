/** `-brw`: how an address is rewritten in each place. Source: Exim manual, "Testing the rewriting rules that apply on input". */
import type { ByteString } from '../../../base/text.ts'
import { parseAddress } from '../../../mail/parse-address.ts'
import type { Context } from '../../../ports.ts'
import { rewriteAddress, type RewritePlace } from './rewrite-address.ts'
import { rewriteHeader } from './rewrite-headers.ts'
import { rewriteSmtp } from './rewrite-smtp.ts'

const headerPlaces: readonly (readonly [label: string, place: RewritePlace])[] = [
  ['  sender', 's'],
  ['    from', 'f'],
  ['      to', 't'],
  ['      cc', 'c'],
  ['     bcc', 'b'],
  ['reply-to', 'r'],
]

/** The lines that Exim prints; its exit code is 0 whatever comes of it. */
export async function testRewrite(text: ByteString, context: Context): Promise<readonly ByteString[]> {
  const { configuration, qualifyRecipient } = context.server
  const rules = configuration.rewrite
  if (rules.length === 0) return ['No rewrite rules are set', text]
  const lines: ByteString[] = []
  if (rules.some(({ flags }) => flags.includes('S'))) {
    const rewritten = await rewriteSmtp(text, 'sender', context)
    if (rewritten !== text) lines.push(`    SMTP: ${rewritten}`)
  }
  const whole = text.includes('@') ? text : `${text}@${qualifyRecipient}`
  const parsed = parseAddress(whole)
  if (parsed.is === 'error') {
    return [
      ...lines,
      `Syntax error in ${whole}`,
      parsed.message.charAt(0).toUpperCase() + parsed.message.slice(1),
    ]
  }
  for (const [label, place] of headerPlaces) {
    const rewritten = await rewriteHeader(`X: ${whole}`, place, rules, context)
    lines.push(`${label}: ${rewritten === undefined ? whole : rewritten.replace(/^X:\s*/, '')}`)
  }
  for (const [label, place] of [
    ['env-from', 'F'],
    ['  env-to', 'T'],
  ] as const) {
    lines.push(`${label}: ${(await rewriteAddress(parsed.address, place, rules, context)).address}`)
  }
  return lines
}
