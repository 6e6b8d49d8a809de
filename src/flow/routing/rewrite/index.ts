/** Address rewriting. Source: Exim manual, chapter 31. */
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { rewriteAddress } from './rewrite-address.ts'

export { rewriteHeaders, type RewriteHeadersOptions } from './rewrite-headers.ts'
export { rewriteSmtp } from './rewrite-smtp.ts'
export { testRewrite } from './rewrite-test.ts'
export { rewriteAddress, type RewritePlace } from './rewrite-address.ts'

/** An envelope address after the rules of the rewrite section: `F` the sender, `T` a recipient. */
export async function rewriteEnvelope(
  address: ByteString,
  flag: 'F' | 'T',
  context: Context,
): Promise<ByteString> {
  const rules = context.server.configuration.rewrite
  if (rules.length === 0 || address === '') return address
  return (await rewriteAddress(address, flag, rules, context)).address
}
export { changeHeaderDomains } from './change-domains.ts'
