/** The message that tells a sender of a delay. Source: Exim manual, options delay_warning*; "Customizing warning messages". */
import { isFailure } from '../../../base/outcome.ts'
import { textOf, type ByteString } from '../../../base/text.ts'
import { headerBody } from '../../../mail/header.ts'
import type { Attempt, DeferredAddress } from '../attempt.ts'
import type { GeneratedMessage } from '../deps.ts'
import { shownAddress } from './bounce.ts'
import {
  boundaryOf,
  explainError,
  fromLine,
  referencesLine,
  returnedPart,
  statusBlock,
  statusPart,
  withoutControls,
} from './report-parts.ts'
import { templateItems } from './templates.ts'

/**
 * How many warnings ought to have gone out after so long: one for each time of the list; past its end the last
 * interval between two times (or the only time) repeats.
 */
export function warningsDue(times: readonly number[], queuedSeconds: number): number {
  const last = times.at(-1) ?? 0
  if (times.length === 0 || last <= 0) return 0
  const passed = times.filter((time) => queuedSeconds >= time).length
  if (passed < times.length) return passed
  const step = times.length === 1 ? last : last - (times.at(-2) ?? 0)
  return step <= 0 ? passed : passed + Math.floor((queuedSeconds - last) / step)
}

/** Is a warning due, and do the options allow one for this message? */
export async function warningWanted(attempt: Attempt): Promise<boolean> {
  const { settings, ports } = attempt.context
  const { envelope } = attempt
  if (envelope.sender === '' || attempt.deferred.length === 0) return false
  const queuedSeconds = (ports.now() - envelope.receivedAt) / 1000
  if (warningsDue(settings.delay_warning, queuedSeconds) <= (envelope.warningCount ?? 0)) return false
  const value = await ports.expand(settings.delay_warning_condition, attempt.context)
  if (isFailure(value)) {
    attempt.log(`delay_warning_condition failed to expand: ${value.message}`)
    return true
  }
  const word = textOf(value).trim().toLowerCase()
  return word !== '' && word !== '0' && word !== 'no' && word !== 'false'
}

/** Addresses whose senders asked for no notice of delays are left out: RFC 3461 section 4.1. */
export function toWarnAbout(attempt: Attempt): DeferredAddress[] {
  return attempt.deferred.filter((one) => {
    const notify = one.recipient.dsn?.notify ?? []
    return notify.length === 0 || notify.includes('delay')
  })
}

/** A host that answered is named; a reason is given where it is a sender's business. Observed of Exim 4.96. */
function whyDelayed({ told, hidden, diagnostic }: DeferredAddress): ByteString {
  if (hidden) return ''
  return explainError(told === undefined ? undefined : `Delay reason: ${told}`, diagnostic)
}

export async function warningMessage(
  attempt: Attempt,
  to: ByteString,
  delayed: readonly DeferredAddress[],
): Promise<GeneratedMessage> {
  const { settings, ports, server } = attempt.context
  const { envelope } = attempt
  const delay = delayText((ports.now() - envelope.receivedAt) / 1000)
  const context = {
    ...attempt.context,
    variables: new Map([
      ...attempt.context.variables,
      ['warn_message_delay', delay],
      ['warn_message_recipients', to],
    ] as const),
  }
  const items = await templateItems(settings.warn_message_file, 'warn_message_file', context)
  const boundary = boundaryOf(attempt)
  let text = settings.errors_reply_to === undefined ? '' : `Reply-To: ${settings.errors_reply_to}\n`
  text += 'Auto-Submitted: auto-replied\n'
  text += await fromLine(attempt)
  text += `To: ${to}\n`
  text += referencesLine(attempt)
  text += `Content-Type: multipart/report; report-type=delivery-status; boundary=${boundary}\nMIME-Version: 1.0\n`
  text += items[0] ?? `Subject: Warning: message ${envelope.id} delayed ${delay}\n`
  text += `\n--${boundary}\nContent-type: text/plain; charset=us-ascii\n\n`
  text += items[1] ?? introduction(attempt, to, delay, server.primaryHostname, delayed.length)
  text += '\n'
  // The latest first: so it was observed.
  const latest = delayed.toReversed()
  for (const one of latest) text += `  ${shownAddress(one, '    ')}\n${whyDelayed(one)}`
  text += '\n'
  text +=
    items[2] ??
    'No action is required on your part. Delivery attempts will continue for\n' +
      'some time, and this warning may be repeated at intervals if the message\n' +
      'remains undelivered. Eventually the mail delivery software will give up,\n' +
      'and when that happens, the message will be returned to you.\n'
  text += '\n'
  text += statusPart(
    attempt,
    boundary,
    latest.map((one) =>
      statusBlock({
        action: 'delayed',
        recipient: one.recipient.address,
        orcpt: one.recipient.dsn?.orcpt,
        diagnostic: one.diagnostic,
      }),
    ),
  )
  text = withoutControls(text)
  text += await returnedPart(attempt, boundary, 'headers')
  return { sender: '', recipients: [to], text, about: envelope.id, isReport: true }
}

/** `90 minutes`, from two hours on in hours. */
export function delayText(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  return minutes < 120 ? `${minutes} minutes` : `${Math.floor(minutes / 60)} hours`
}

function introduction(
  attempt: Attempt,
  to: ByteString,
  delay: string,
  host: string,
  addresses: number,
): ByteString {
  const { envelope } = attempt
  const who = to === envelope.sender ? 'that you sent has' : `sent by\n\n  <${envelope.sender}>\n\nhas`
  let text =
    'This message was created automatically by mail delivery software.\n' +
    `A message ${who} not yet been delivered to one or more of its\n` +
    `recipients after more than ${delay} on the queue on ${host}.\n\n` +
    `The message identifier is:     ${envelope.id}\n`
  const subject = envelope.headers.find((header) => /^subject:/i.test(header.text))
  const date = envelope.headers.find((header) => /^date:/i.test(header.text))
  if (subject !== undefined) text += `The subject of the message is: ${headerBody(subject).trim()}\n`
  if (date !== undefined) text += `The date of the message is:    ${headerBody(date).trim()}\n`
  return `${text}\nThe address${
    addresses === 1 ? '' : 'es'
  } to which the message has not yet been delivered ${addresses === 1 ? 'is' : 'are'}:\n`
}
