/** Batched SMTP: the envelope written as SMTP commands. Source: Exim manual, "Outgoing batched SMTP". */
import type { LocalJobCommon } from '../local-job.ts'
import { rcptAddress } from '../rcpt-address.ts'
import type { Batch } from './driver.ts'

/** What stands around the message, and how its dots are doubled; `check_string` and `escape_string` do not count. */
export function bsmtpFrame(
  batch: Batch,
  {
    prefix,
    suffix,
    useCrlf,
  }: { readonly prefix: string; readonly suffix: string; readonly useCrlf: boolean },
): Pick<LocalJobCommon, 'lead' | 'tail' | 'escape'> {
  // Prefix and suffix stay as they are written, the suffix in the message: observed of Exim 4.96.
  const end = useCrlf ? '\r\n' : '\n'
  const recipients = batch.addresses.map(
    (routed) => `RCPT TO:<${rcptAddress(routed, batch.transport.settings)}>${end}`,
  )
  return {
    lead: `${prefix}MAIL FROM:<${batch.returnPath}>${end}${recipients.join('')}DATA${end}`,
    tail: `${suffix}.${end}`,
    escape: { check: '.', put: '..' },
  }
}
