/** Tells that a mailbox has grown past a threshold. Source: Exim manual, options quota_warn_*. */
import { type Failure, isFailure } from '../../../base/outcome.ts'
import { textOf, type ByteString } from '../../../base/text.ts'
import { parseAddressList } from '../../../mail/address.ts'
import type { Envelope } from '../../../mail/envelope.ts'
import { headerBody, splitHeaders } from '../../../mail/header.ts'
import type { Context } from '../../../ports.ts'
import { expandedBytes } from '../expanding.ts'
import type { LocalResult } from '../local-job.ts'
import type { AppendfileSettings } from './appendfile.options.ts'
import type { DeliveryEnvironment } from './driver.ts'
import { expandedQuota, readQuota } from './quota-value.ts'

type Settings = Pick<AppendfileSettings, 'quota' | 'quota_warn_message' | 'quota_warn_threshold'>

/** Sends the warning when this delivery crossed the threshold; a mistake in it is logged and changes nothing. */
export async function warnOfSize(
  result: LocalResult,
  settings: Settings,
  transport: string,
  context: Context,
  environment: DeliveryEnvironment,
): Promise<void> {
  if (result.is !== 'done' || result.mailboxSize === undefined) return
  if (isOwnNotice(environment.claim.message.envelope)) return
  const threshold = await thresholdOf(settings, context)
  const { before, after } = result.mailboxSize
  if (threshold <= 0 || before > threshold || after <= threshold) return
  const value = await context.ports.expand(settings.quota_warn_message, context)
  if (isFailure(value)) {
    const line = `Failed to expand "${settings.quota_warn_message.text}" (warning message for ${transport} transport): ${value.message}`
    context.ports.log.panic(environment.claim.id, line)
    return
  }
  const text = textOf(value)
  const recipients = recipientsOf(text)
  if (recipients.length === 0) return
  await environment.deps.submit({
    sender: '',
    recipients,
    text: `${await addedHeaders(text, context)}${text.endsWith('\n') ? text : `${text}\n`}`,
    about: environment.claim.id,
    isReport: false,
  })
}

/**
 * A warning of this kind (or an answer) that this program wrote. Differs from Exim, where one that goes to the mailbox it warns of warns again, and so on
 * without end, when `mailbox_size` stays below the threshold.
 */
function isOwnNotice({ sender, local, localErrorMessage, headers }: Envelope): boolean {
  if (sender !== '' || !local || localErrorMessage === true) return false
  return headers.some(({ text }) => /^Auto-Submitted:\s*auto-replied/i.test(text))
}

/** The value that is no size, or why there is none. */
export async function badThreshold(
  { quota_warn_threshold: option }: Settings,
  context: Context,
): Promise<ByteString | Failure | undefined> {
  if (option === undefined) return undefined
  const value = await expandedBytes(option, context)
  if (value === undefined || isFailure(value)) return value
  const text = value.trim().replace(/%$/, '')
  return readQuota(text) === undefined ? value : undefined
}

/** Bytes; a percentage is one of the quota. */
export async function thresholdOf(settings: Settings, context: Context): Promise<number> {
  const value = await expandedBytes(settings.quota_warn_threshold, context)
  if (typeof value !== 'string') return 0
  const text = value.trim()
  if (!text.endsWith('%')) return readQuota(text)?.most ?? 0
  const quota = await expandedQuota(settings.quota, context)
  if (isFailure(quota) || 'malformed' in quota) return 0
  return Math.floor((quota.most * Number(text.slice(0, -1))) / 100)
}

function recipientsOf(text: ByteString): ByteString[] {
  const to = headersOf(text).find((header) => /^to:/i.test(header.text))
  if (to === undefined) return []
  return parseAddressList(headerBody(to)).flatMap((one) => ('address' in one ? [one.address] : []))
}

function headersOf(text: ByteString): ReturnType<typeof splitHeaders> {
  const end = text.indexOf('\n\n')
  return splitHeaders(end < 0 ? text : text.slice(0, end + 1))
}

async function addedHeaders(text: ByteString, context: Context): Promise<ByteString> {
  let added = 'Auto-Submitted: auto-replied\n'
  if (headersOf(text).some((header) => /^from:/i.test(header.text))) return added
  const from = await context.ports.expand(context.settings.dsn_from, context)
  if (!isFailure(from) && textOf(from).trim() !== '') added += `From: ${textOf(from).trim()}\n`
  return added
}
