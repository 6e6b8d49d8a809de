/** What the DMARC check of the message at hand found; before it ran `none` and nothing. Source: Exim manual, "DMARC". */
import { type DmarcFacts, dmarcOf } from '../../../mail/dmarc-facts.ts'
import type { Context } from '../../../ports.ts'
import { dmarcPart } from '../items/authresults.ts'
import type { VariableRow } from '../rows.ts'
import { outside, renamed, trusted } from './kinds.ts'

function found({ message }: Context): DmarcFacts | undefined {
  return dmarcOf(message)
}

function yesNo(aligned: boolean | undefined): string | undefined {
  return aligned === undefined ? undefined : aligned ? 'yes' : 'no'
}

const usedDomain = outside(
  'dmarc_used_domain',
  'The domain whose DMARC record was used, or asked for in vain.',
  ({ context }) => found(context)?.usedDomain,
)

export const dmarcVariables: readonly VariableRow[] = [
  trusted(
    'dmarc_alignment_dkim',
    'Whether a DKIM signature that verifies belongs to the author: yes or no.',
    ({ context }) => yesNo(found(context)?.evaluation?.dkimAligned),
  ),
  trusted(
    'dmarc_alignment_spf',
    'Whether the sender that SPF passes belongs to the author: yes or no.',
    ({ context }) => yesNo(found(context)?.evaluation?.spfAligned),
  ),
  outside(
    'dmarc_ar_header',
    'An Authentication-Results: header with the DMARC result; ${authresults{...}} today.',
    ({ context }) => {
      const part = dmarcPart(context)
      return part === undefined
        ? undefined
        : `Authentication-Results: ${context.server.primaryHostname}; ${part}`
    },
  ),
  trusted(
    'dmarc_domain_policy',
    'The policy in the DMARC record: none, quarantine or reject; empty without a record.',
    ({ context }) => found(context)?.domainPolicy,
  ),
  trusted(
    'dmarc_status',
    'The result of the DMARC check in one word.',
    ({ context }) => found(context)?.status ?? 'none',
  ),
  trusted(
    'dmarc_status_text',
    'The result of the DMARC check for people.',
    ({ context }) => found(context)?.statusText,
  ),
  usedDomain,
  renamed('domain_used_domain', usedDomain),
]
