/** What the SPF check of the message at hand found; empty before it ran. Source: Exim manual, "SPF". */
import { type SpfFacts, spfOf } from '../../../mail/spf-facts.ts'
import type { Context } from '../../../ports.ts'
import type { VariableRow } from '../rows.ts'
import { outside, trusted } from './kinds.ts'

function found({ message, connection }: Context): SpfFacts | undefined {
  return spfOf(message ?? connection)
}

export const spfVariables: readonly VariableRow[] = [
  trusted('spf_guess', 'The record that spf_guess tries.', ({ context }) => context.settings.spf_guess),
  outside(
    'spf_header_comment',
    'What the SPF check found, for people.',
    ({ context }) => found(context)?.headerComment,
  ),
  outside(
    'spf_received',
    'A whole Received-SPF: header; meant for the top of the headers.',
    ({ context }) => found(context)?.received,
  ),
  trusted('spf_result', 'The result of the SPF check in one word.', ({ context }) => found(context)?.result),
  trusted('spf_result_guessed', 'Whether the guessed record decided: yes or no.', ({ context }) =>
    found(context)?.guessed === true ? 'yes' : 'no',
  ),
  outside(
    'spf_smtp_comment',
    'What to tell a client that SPF does not allow.',
    ({ context }) => found(context)?.smtpComment,
  ),
  outside(
    'spf_used_domain',
    'The domain whose SPF record was asked for.',
    ({ context }) => found(context)?.usedDomain,
  ),
]
