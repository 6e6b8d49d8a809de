/**
 * A sender that could not be verified: what the log and the client are told of it beside the refusal.
 * Source: Exim manual, "Sender address verification reporting"; wording observed of Exim 4.96.
 */
import type { ByteString } from '../../../base/text.ts'
import type { MessageFacts, VerifyResult } from '../../../ports.ts'

export interface FailedSender {
  readonly address: ByteString
  readonly result: VerifyResult
  logged: boolean
  told: boolean
}

export const failedSenderKey = 'sender verify failure'

export function failedSenderOf(message: MessageFacts): FailedSender | undefined {
  // Only verify/address.ts stores under this key.
  return message.extra.get(failedSenderKey) as FailedSender | undefined
}

/** `sender verify fail for <a@b>: why`: once for each verification. */
export function failedSenderLine(failed: FailedSender): ByteString {
  const { address, result } = failed
  const word = result.is === 'fail' ? 'fail' : 'defer'
  const why = result.callout === undefined ? (result.logMessage ?? result.userMessage) : result.logMessage
  return `sender verify ${word} for <${address}>${why === undefined ? '' : `: ${why}`}`
}

/** The lines before the refusal; empty when there is nothing to tell. */
export function failedSenderDetails({ address, result }: FailedSender): ByteString[] {
  if (result.is !== 'fail') return []
  const { failure } = result
  const begin =
    failure === 'postmaster'
      ? 'Postmaster verification failed while checking'
      : failure === 'mail' && !isGreeting(result)
        ? 'Callback setup failed while verifying'
        : 'Verification failed for'
  const told = result.callout?.told
  const middle =
    told === undefined
      ? [result.userMessage ?? result.logMessage ?? ''].filter((line) => line !== '')
      : [`Called:   ${told.called}`, `Sent:     ${told.sent}`, `Response: ${told.response}`]
  const end = isGreeting(result) ? [] : (explanations[failure ?? ''] ?? [])
  return [`${begin} <${address}>`, ...middle, ...end]
}

/** Refused before MAIL was said: Exim tells it as it tells a refused address. */
function isGreeting({ failure, callout }: VerifyResult): boolean {
  return failure === 'mail' && callout?.told !== undefined && !callout.told.sent.startsWith('MAIL')
}

const explanations: Readonly<Record<string, readonly string[]>> = {
  mail: [
    'The initial connection, or a HELO or MAIL FROM:<> command was',
    'rejected. Refusing MAIL FROM:<> does not help fight spam, disregards',
    'RFC requirements, and stops you from receiving standard bounce',
    'messages. This host does not accept mail from domains whose servers',
    'refuse bounces.',
  ],
  postmaster: [
    'Several RFCs state that you are required to have a postmaster',
    'mailbox for each mail domain. This host does not accept mail',
    'from domains whose servers reject the postmaster address.',
  ],
}
