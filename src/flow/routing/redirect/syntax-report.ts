/** The message about addresses that were left out. Source: Exim manual, "syntax_errors_to"; layout as Exim 4.96 writes it. */
import { isFailure } from '../../../base/outcome.ts'
import { type ByteString, textOf } from '../../../base/text.ts'
import { referencesTo } from '../../../mail/references.ts'
import type { RedirectSettings } from '../routers/redirect.options.ts'
import { namedRecipients } from '../../named-recipients.ts'
import type { GeneratedMessage } from '../../generated-message.ts'
import type { RouterWork } from '../types.ts'
import { expandOption, isTrouble } from '../values.ts'
import type { ItemError } from './parse-list.ts'

/** Undefined: nobody is to be told, or whom cannot be expanded. */
export async function syntaxReport(
  errors: readonly ItemError[],
  someGood: boolean,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<GeneratedMessage | undefined> {
  const { context, router } = work
  if (settings.syntax_errors_to === undefined) return undefined
  const expanded = await context.ports.expandText(settings.syntax_errors_to, context)
  // A line end would let whoever chose the text write headers of the report.
  const to = isFailure(expanded)
    ? ''
    : textOf(expanded)
        .replace(/[\r\n].*$/s, '')
        .trim()
  if (to === '') return undefined
  const text = await expandOption(settings.syntax_errors_text, work)
  const from = await context.ports.expand(context.settings.dsn_from, context)
  const id = context.message?.id ?? ''
  const references = referencesTo(context.message?.headers ?? [])
  const lines = [
    'Auto-Submitted: auto-replied',
    `From: ${isFailure(from) ? `Mailer-Daemon@${context.server.qualifyDomain}` : textOf(from)}`,
    `To: ${to}`,
    'Subject: error(s) in forwarding or filtering',
    ...(references === '' ? [] : [`References: ${references}`]),
    '',
    ...(text === undefined || isTrouble(text) ? [] : [textOf(text), '']),
    `The ${router.name} router encountered the following error(s):`,
    '',
    ...errors.flatMap(({ item, reason }): ByteString[] => [`  ${reason} in the address`, `  "${item}"`, '']),
    ...(someGood ? ['Other addresses were processed normally.', ''] : []),
  ]
  const recipients = namedRecipients(to, id, context.ports)
  if (recipients.length === 0) return undefined
  return { sender: '', recipients, text: `${lines.join('\n')}`, about: id, isReport: true }
}
