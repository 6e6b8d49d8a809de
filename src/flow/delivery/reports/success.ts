/** The report of success that a sender asked for with NOTIFY=SUCCESS. Source: RFC 3461, RFC 3464; observed of Exim 4.96. */
import type { ByteString } from '../../../base/text.ts'
import type { Attempt } from '../attempt.ts'
import type { GeneratedMessage } from '../deps.ts'
import {
  boundaryOf,
  fromLine,
  referencesLine,
  returnedPart,
  statusPart,
  withoutControls,
} from './report-parts.ts'

export async function successReport(attempt: Attempt): Promise<GeneratedMessage> {
  const { envelope } = attempt
  const boundary = boundaryOf(attempt)
  let text = await fromLine(attempt)
  text += 'Auto-Submitted: auto-generated\n'
  text += `To: ${envelope.sender}\nSubject: Delivery Status Notification\n`
  text += referencesLine(attempt)
  text += `Content-Type: multipart/report; report-type=delivery-status; boundary=${boundary}\nMIME-Version: 1.0\n`
  text += `\n--${boundary}\nContent-type: text/plain; charset=us-ascii\n\n`
  text += 'This message was created automatically by mail delivery software.\n'
  text += ' ----- The following addresses had successful delivery notifications -----\n'
  const successes = told(attempt.successes)
  for (const success of successes) {
    text += `<${success.routed.recipient.address}> (${how(success)})\n\n`
  }
  text += statusPart(attempt, boundary, successes.map(block))
  text = withoutControls(text)
  text += await returnedPart(attempt, boundary, 'headers')
  return { sender: '', recipients: [envelope.sender], text, about: envelope.id, isReport: true }
}

function how({ routed, remote }: Attempt['successes'][number]): ByteString {
  if (remote === undefined) return 'relayed via non "Remote SMTP" router'
  return routed.router.settings.dsn_lasthop ? 'relayed via non DSN router' : 'relayed to non-DSN-aware mailer'
}

/** Of a recipient that was redirected nothing further is told: what became of its children is not the sender's business. */
function told(successes: Attempt['successes']): Attempt['successes'] {
  const redirected = new Set<ByteString>()
  return successes.flatMap((one) => {
    if (one.routed.ancestors.length === 0) return [one]
    const { address } = one.routed.recipient
    if (redirected.has(address)) return []
    redirected.add(address)
    return [{ ...one, remote: undefined }]
  })
}

function block({ routed, remote }: Attempt['successes'][number]): ByteString {
  const orcpt = routed.recipient.dsn?.orcpt
  let text = orcpt === undefined || orcpt === '' ? '' : `Original-Recipient: ${orcpt}\n`
  text += `Action: delivered\nFinal-Recipient: rfc822;${routed.recipient.address}\nStatus: 2.0.0\n`
  text +=
    remote === undefined
      ? 'Diagnostic-Code: X-Exim; relayed via non SMTP router\n'
      : `Remote-MTA: dns; ${remote.host}\nDiagnostic-Code: smtp; 250 Ok\n`
  return text
}
