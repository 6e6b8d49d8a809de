/** Parts that bounces, warnings and success reports share. Source: RFC 3464, RFC 3462, observed of Exim 4.96. */
import { referencesTo } from '../../../mail/references.ts'
import { replaceControlsInLines } from '../../../base/control-characters.ts'
import { isFailure } from '../../../base/outcome.ts'
import { textOf, type ByteString } from '../../../base/text.ts'
import type { Attempt } from '../attempt.ts'
import type { RemoteDiagnostic } from '../results.ts'

/** What we say in a report, with no control character of what other servers, commands and senders said. */
export function withoutControls(text: ByteString): ByteString {
  return replaceControlsInLines(text, () => '?')
}

/** The header of an address of ours that the message goes out under. */
export async function fromLine({ context }: Pick<Attempt, 'context'>): Promise<ByteString> {
  const value = await context.ports.expand(context.settings.dsn_from, context)
  const text = isFailure(value) ? '' : textOf(value).trim()
  if (text !== '') return `From: ${text}\n`
  return `From: Mail Delivery System <Mailer-Daemon@${context.server.qualifyDomain}>\n`
}

/** `1795488013-eximdsn-1169059336`. */
export function boundaryOf(attempt: Attempt): string {
  const { ports } = attempt.context
  return `${Math.floor(ports.now() / 1000)}-eximdsn-${ports.random(2 ** 31)}`
}

/** `References:` to the message the report is about, and to what that refers to. */
export function referencesLine(attempt: Attempt): ByteString {
  const value = referencesTo(attempt.envelope.headers)
  return value === '' ? '' : `References: ${value}\n`
}

/** What an address failed with, as the text part lists it: indented, a reply of another server on lines of its own. */
export function explainError(
  message: ByteString | undefined,
  diagnostic: RemoteDiagnostic | undefined,
): ByteString {
  let text = ''
  if (diagnostic !== undefined) text += hostLine(diagnostic)
  return message === undefined ? text : text + message.split('\n').map(broken).join('')
}

export function hostLine({ host, address }: RemoteDiagnostic): ByteString {
  return `    host ${host} [${address}]\n`
}

/** A line ends after a colon that stands behind 45 bytes or more. */
function broken(line: ByteString): ByteString {
  return `    ${line.replaceAll(/(.{45,}?:) /g, '$1\n    ')}\n`
}

/** One block of the delivery-status part. */
export function statusBlock(block: {
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'
  readonly recipient: ByteString
  readonly orcpt: ByteString | undefined
  readonly diagnostic: RemoteDiagnostic | undefined
}): ByteString {
  const status = {
    failed: '5.0.0',
    delayed: '4.0.0',
    delivered: '2.0.0',
    relayed: '2.0.0',
    expanded: '2.0.0',
  }
  let text = ''
  if (block.orcpt !== undefined && block.orcpt !== '') text += `Original-Recipient: ${block.orcpt}\n`
  text += `Action: ${block.action}\n`
  text += `Final-Recipient: rfc822;${block.recipient}\nStatus: ${status[block.action]}\n`
  if (block.diagnostic !== undefined) {
    text += `Remote-MTA: dns; ${block.diagnostic.host}\n`
    if (block.diagnostic.reply !== undefined) {
      text += `Diagnostic-Code: smtp; ${block.diagnostic.reply.replaceAll('\n', '\n ')}\n`
    }
  }
  return text
}

/** The delivery-status part as a whole. */
export function statusPart(attempt: Attempt, boundary: string, blocks: readonly ByteString[]): ByteString {
  let text = `--${boundary}\nContent-type: message/delivery-status\n\n`
  text += `Reporting-MTA: dns; ${attempt.context.server.primaryHostname}\n`
  if (attempt.envelope.dsnEnvid !== undefined) text += `Original-Envelope-ID: ${attempt.envelope.dsnEnvid}\n`
  for (const block of blocks) text += `\n${block}`
  return `${text}\n`
}

/** The headers of the message that came back, with their return path. */
export function originalHeaders(attempt: Attempt): ByteString {
  let text = `Return-path: <${attempt.envelope.sender}>\n`
  for (const header of attempt.envelope.headers) if (header.type !== '*') text += header.text
  return text
}

/** The part that gives the message back, whole or only its headers. */
export async function returnedPart(
  attempt: Attempt,
  boundary: string,
  what: 'whole' | 'headers' | 'limited',
): Promise<ByteString> {
  const whole = what === 'whole'
  const type = whole ? 'message/rfc822' : 'text/rfc822-headers'
  const note = what === 'limited' ? limitNote : ''
  let text = `--${boundary}\nContent-type: ${type}\n\n${originalHeaders(attempt)}${note}\n`
  if (whole) {
    for await (const piece of attempt.claim.message.body()) text += Buffer.from(piece).toString('latin1')
    if (!text.endsWith('\n')) text += '\n'
  }
  return `${text}\n--${boundary}--\n`
}

/**
 * How much of the message is given back? Not all of it when it is too big, its lines too long, or the sender asked for the headers
 * only. Source: Exim manual, options bounce_return_*; RFC 3461 section 4.3.
 */
export function returned(attempt: Attempt): 'whole' | 'headers' | 'limited' {
  if (!attempt.context.settings.bounce_return_body || attempt.envelope.dsnRet === 'hdrs') return 'headers'
  return limited(attempt) ? 'limited' : 'whole'
}

const limitNote = 'X-Exim-DSN-Information: Due to administrative limits only headers are returned\n'

/** Too big, or its lines too long. */
function limited(attempt: Attempt): boolean {
  const { settings, message } = attempt.context
  if (attempt.envelope.maxReceivedLineLength > settings.bounce_return_linesize_limit) return true
  const limit = settings.bounce_return_size_limit
  return limit > 0 && (message?.size ?? 0) > limit
}
