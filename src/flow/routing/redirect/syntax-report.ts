/** The message about addresses that were left out. Source: Exim manual, "syntax_errors_to"; layout as Exim 4.96 writes it. */
import { type Failure, isFailure } from '../../../base/outcome.ts'
import { type ByteString, textOf } from '../../../base/text.ts'
import { referencesTo } from '../../../mail/references.ts'
import type { RedirectSettings } from '../routers/redirect.options.ts'
import { namedRecipients } from '../../named-recipients.ts'
import type { GeneratedMessage } from '../../generated-message.ts'
import type { RouterWork } from '../types.ts'
import type { ItemError } from './parse-list.ts'

/** Undefined: nobody is to be told. */
export async function syntaxReport(
  errors: readonly ItemError[],
  someGood: boolean,
  settings: RedirectSettings,
  work: RouterWork,
): Promise<GeneratedMessage | { readonly problem: ByteString } | undefined> {
  const { context, router } = work
  if (settings.syntax_errors_to === undefined) return undefined
  const failed = (text: string, { message }: Failure): { readonly problem: ByteString } => ({
    problem: `${router.name} router failed to expand ${text}: ${message}`,
  })
  const expanded = await context.ports.expandText(settings.syntax_errors_to, context)
  if (isFailure(expanded)) return failed(settings.syntax_errors_to, expanded)
  // A line end would let whoever chose the text write headers of the report.
  const to = textOf(expanded)
    .replace(/[\r\n].*$/s, '')
    .trim()
  if (to === '') return undefined
  const introduction: ByteString[] = []
  const option = settings.syntax_errors_text
  if (option !== undefined) {
    const text = await context.ports.expand(option, context)
    if (isFailure(text)) return failed(option.text, text)
    introduction.push(textOf(text), '')
  }
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
    ...introduction,
    `The ${router.name} router encountered the following error(s):`,
    '',
    ...errors.flatMap(({ item, reason }): ByteString[] =>
      item === undefined ? [`  ${reason}`, ''] : [`  ${reason} in the address`, `  "${item}"`, ''],
    ),
    someGood ? 'Other addresses were processed normally.' : 'No valid addresses were generated.',
    '',
  ]
  const recipients = namedRecipients(to, id, context.ports)
  if (recipients.length === 0) return undefined
  return { sender: '', recipients, text: `${lines.join('\n')}`, about: id, isReport: true }
}
