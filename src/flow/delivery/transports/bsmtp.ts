/** Batched SMTP: the envelope written as SMTP commands. Source: Exim manual, "Outgoing batched SMTP". */
import type { LocalJobCommon } from '../local-job.ts'
import { rcptAddress } from '../rcpt-address.ts'
import type { Batch } from './driver.ts'

/** What stands around the message, and how its dots are doubled; `check_string` and `escape_string` do not count. */
export function bsmtpFrame(
  batch: Batch,
  prefix: string,
  suffix: string,
): Pick<LocalJobCommon, 'lead' | 'tail' | 'escape'> {
  const recipients = batch.addresses.map(
    (routed) => `RCPT TO:<${rcptAddress(routed, batch.transport.settings)}>\n`,
  )
  return {
    lead: `${prefix}MAIL FROM:<${batch.returnPath}>\n${recipients.join('')}DATA\n`,
    tail: `.\n${suffix}`,
    escape: { check: '.', put: '..' },
  }
}
