/** The sentences of the lmtp transport, where those of SMTP say "remote mail server". Observed of Exim 4.96. */
import type { ByteString } from '../../../base/text.ts'
import { type DeliveryError, errorNumbers } from '../results.ts'

export function inLmtpWords(error: DeliveryError): DeliveryError {
  const { errno, more, message } = error
  const said = message === undefined ? undefined : sentence(message)
  if (said === undefined) return error
  return { errno: ownNumber(errno, said), more, message: said }
}

function sentence(message: ByteString): ByteString | undefined {
  const [, what = '', at = ''] =
    /^(SMTP error from remote mail server after|LMTP error after|Remote host closed connection in response to|SMTP timeout after|Malformed SMTP reply in response to) (?:pipelined )?(.*)$/s.exec(
      message,
    ) ?? []
  switch (what) {
    case 'SMTP error from remote mail server after':
      return `LMTP error after ${at}`
    case 'LMTP error after':
      return `LMTP error after ${at.replace(/^DATA/, 'end of data')}`
    case 'Remote host closed connection in response to':
      return `LMTP connection closed after ${at}`
    case 'SMTP timeout after':
      return `LMTP timeout after ${at}`
    case 'Malformed SMTP reply in response to':
      return `Malformed LMTP response after ${at}`
    default:
      return undefined
  }
}

/** There are no numbers of the system; refusals for now have one by their place. */
function ownNumber(errno: number, said: ByteString): number {
  if (said.startsWith('LMTP error after end of data')) return errorNumbers.data4xx
  if (errno === errorNumbers.malformedReply && !said.includes(' after end of data')) return errno
  return errno === errorNumbers.mail4xx || errno === errorNumbers.rcpt4xx || errno === errorNumbers.data4xx
    ? errno
    : errorNumbers.unknown
}
