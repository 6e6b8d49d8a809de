/** Rules for the headers of a message whose domain was short for another. Source: Exim manual, "rewrite_headers". */
import { builtin } from '../../../base/diagnostic.ts'
import { Expandable } from '../../../base/expandable.ts'
import type { RewriteRule } from '../../../language/config/configuration.ts'
import type { Header } from '../../../mail/envelope.ts'
import type { Context } from '../../../ports.ts'
import type { DomainChange } from '../../routed.ts'
import { rewriteHeaders } from './rewrite-headers.ts'

/** What may stand in a rule without being more than a name there. */
const plainDomain = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/

export async function changeHeaderDomains(
  headers: readonly Header[],
  changes: readonly DomainChange[],
  context: Context,
): Promise<readonly Header[]> {
  const rules = changes
    .filter(({ from, to }) => plainDomain.test(from) && plainDomain.test(to))
    .map(
      ({ from, to }): RewriteRule => ({
        at: { origin: builtin, start: 0, end: 0 },
        pattern: new Expandable(`*@${from}`),
        replacement: new Expandable(`$1@${to}`),
        flags: 'bcfrst',
      }),
    )
  return rules.length === 0 ? headers : rewriteHeaders(headers, context, { rules })
}
