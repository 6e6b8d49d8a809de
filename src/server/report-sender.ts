/** Who sends reports about DMARC. Source: requirement D4; Exim manual, `dmarc_forensic_sender`. */
import { isFailure } from '../base/outcome.ts'
import { type ByteString, textOf } from '../base/text.ts'
import { parseAddress } from '../mail/parse-address.ts'
import type { Context } from '../ports.ts'

export interface ReportSender {
  readonly header: ByteString
  /** Empty when only a default is known: then no bounce comes back. */
  readonly envelope: ByteString
}

/** `dmarc_forensic_sender`, else `dsn_from`, else do-not-reply at this host. */
export async function reportSender(context: Context): Promise<ReportSender> {
  const own = await chosenSender('dmarc_forensic_sender', context)
  if (own !== undefined) return own
  // Its default names a mailbox that reads bounces; only one that was chosen is meant for reports too.
  const chosen = context.server.configuration.mainSetAt.has('dsn_from')
    ? await optionText('dsn_from', context)
    : ''
  return { header: chosen === '' ? fallback(context) : chosen, envelope: '' }
}

/** `dmarc_report_sender`, else that of failure reports, else do-not-reply at this host. */
export async function aggregateSender(context: Context): Promise<ReportSender> {
  const own = await chosenSender('dmarc_report_sender', context)
  if (own !== undefined) return own
  const other = await reportSender(context)
  return other.envelope === '' ? { header: fallback(context), envelope: fallback(context) } : other
}

function fallback({ server }: Context): ByteString {
  return `do-not-reply@${server.primaryHostname}`
}

/** An address without a domain has the qualify domain. Undefined: the option is unset, empty, or of no use. */
async function chosenSender(
  name: 'dmarc_forensic_sender' | 'dmarc_report_sender',
  context: Context,
): Promise<ReportSender | undefined> {
  const text = await optionText(name, context)
  if (text === '' || text === '<>') return undefined
  const parsed = parseAddress(text)
  if (parsed.is === 'error') {
    context.ports.log.panic(undefined, `${name} is no address: ${text} (${parsed.message})`)
    return undefined
  }
  const { address, domain, start, end } = parsed
  if (domain !== '') return { header: text, envelope: address }
  const envelope = `${address}@${context.server.qualifyDomain}`
  return { header: text.slice(0, start) + envelope + text.slice(end), envelope }
}

async function optionText(
  name: 'dmarc_forensic_sender' | 'dmarc_report_sender' | 'dsn_from',
  context: Context,
): Promise<ByteString> {
  const option = context.settings[name]
  if (option === undefined) return ''
  const value = await context.ports.expand(option, context)
  if (!isFailure(value))
    return textOf(value)
      .replaceAll(/[\r\n]+/g, ' ')
      .trim()
  if (value.kind !== 'forced')
    context.ports.log.panic(undefined, `failed to expand ${name}: ${value.message}`)
  return ''
}
