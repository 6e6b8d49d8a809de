/** Variables about the message. */
import { splitAddress } from '../../../mail/address.ts'
import type { Context } from '../../../ports.ts'
import { decoded, headerValue } from '../headers.ts'
import { textOf } from '../../../base/text.ts'
import type { VariableRow } from '../rows.ts'
import { outside, stored, storedOutside, trusted } from './kinds.ts'

const sender = ({ context }: { context: Context }) => context.message?.sender ?? ''

/** Line ends of the body show as spaces unless `message_body_newlines` is set; so do zero bytes. */
function bodyText(text: string | undefined, context: Context): string {
  const clean = (text ?? '').replaceAll('\0', ' ')
  return context.settings.message_body_newlines ? clean : clean.replaceAll('\n', ' ')
}

function allHeaders(context: Context, decode: boolean): string {
  const headers = (context.message?.headers ?? []).filter((header) => header.type !== '*')
  if (!decode)
    return headers
      .map((header) => header.text)
      .join('')
      .slice(0, 65536)
  return headers
    .map((header) => decoded(header.text, false, context).trimEnd())
    .join('\n')
    .slice(0, 65536)
}

function recipients(context: Context): string[] {
  return (context.message?.recipients ?? []).map((recipient) => recipient.address)
}

const size = ({ context }: { context: Context }) => context.message?.size ?? 0
const id = ({ context }: { context: Context }) => context.message?.id

export const messageVariables: readonly VariableRow[] = [
  trusted('body_linecount', 'Lines of the body.', ({ context }) => context.message?.bodyLines ?? 0),
  trusted('body_zerocount', 'Zero bytes in the body.', ({ context }) => context.message?.bodyZeros ?? 0),
  stored('bounce_recipient', 'To whom a bounce goes.'),
  trusted(
    'caller_gid',
    'Group of the process that submitted.',
    ({ context }) => context.connection?.caller?.gid ?? context.message?.originator.gid,
  ),
  trusted(
    'caller_uid',
    'User of the process that submitted.',
    ({ context }) => context.connection?.caller?.uid ?? context.message?.originator.uid,
  ),
  outside('headers_added', 'Headers that ACLs have added so far.', ({ context }) =>
    context.message?.headersAdded.map((header) => header.replace(/\n$/, '')).join('\n'),
  ),
  trusted(
    'max_received_linelength',
    'Longest line of the message as it came.',
    ({ context }) => context.message?.maxReceivedLineLength ?? 0,
  ),
  trusted('message_age', 'Seconds since the message came.', ({ context }) =>
    context.message === undefined
      ? 0
      : Math.max(0, Math.floor((context.ports.now() - context.message.receivedAt) / 1000)),
  ),
  outside('message_body', 'The beginning of the body.', ({ context }) =>
    bodyText(context.message?.body.start, context),
  ),
  outside('message_body_end', 'The end of the body.', ({ context }) =>
    bodyText(context.message?.body.end, context),
  ),
  trusted('message_body_size', 'Bytes of the body.', ({ context }) => context.message?.bodySize ?? 0),
  trusted('message_exim_id', 'The id of the message.', id),
  outside('message_headers', 'All headers, decoded.', ({ context }) => allHeaders(context, true)),
  outside('message_headers_raw', 'All headers as they came.', ({ context }) => allHeaders(context, false)),
  trusted('message_id', 'Older name of $message_exim_id.', id),
  trusted('message_linecount', 'Lines of headers and body.', ({ context }) => {
    const { message } = context
    if (message === undefined) return 0
    if (message.receivedLines !== undefined) return message.receivedLines
    const lines = message.headers
      .filter((header) => header.type !== '*')
      .map((header) => header.text.split('\n').length - 1)
    return message.bodyLines + lines.reduce((sum, count) => sum + count, 0)
  }),
  trusted('message_size', 'Bytes of the message; -1 before they are known.', size),
  trusted('message_smtputf8', 'Whether the message is one with international addresses.', ({ context }) =>
    context.message?.smtputf8 === true ? 'yes' : '',
  ),
  trusted(
    'originator_gid',
    'Group that submitted the message.',
    ({ context }) => context.message?.originator.gid ?? context.connection?.caller?.gid,
  ),
  trusted(
    'originator_uid',
    'User that submitted the message.',
    ({ context }) => context.message?.originator.uid ?? context.connection?.caller?.uid,
  ),
  trusted('prdr_requested', 'Whether the client asked for PRDR.', ({ context }) =>
    context.message?.prdrRequested === true ? 'yes' : 'no',
  ),
  trusted(
    'rcpt_count',
    'How many RCPT commands there were.',
    ({ context }) => context.message?.rcptCount ?? 0,
  ),
  trusted(
    'rcpt_defer_count',
    'How many RCPT commands were deferred.',
    ({ context }) => context.message?.rcptDeferCount ?? 0,
  ),
  trusted(
    'rcpt_fail_count',
    'How many RCPT commands were refused.',
    ({ context }) => context.message?.rcptFailCount ?? 0,
  ),
  trusted(
    'received_count',
    'How many Received: headers there are.',
    ({ context }) => context.message?.receivedCount ?? 0,
  ),
  outside(
    'received_for',
    'The one recipient, while the Received: header is made.',
    ({ context }) => context.message?.receivedFor,
  ),
  trusted('received_time', 'When the message came, in seconds since 1970.', ({ context }) =>
    context.message === undefined ? 0 : Math.floor(context.message.receivedAt / 1000),
  ),
  outside('recipients', 'All recipients, with commas.', ({ context }) => recipients(context).join(', ')),
  trusted(
    'recipients_count',
    'How many recipients there are.',
    ({ context }) => context.message?.recipients.length ?? 0,
  ),
  outside('recipients_list', 'All recipients as a list.', ({ context }) =>
    recipients(context)
      .map((one) => one.replaceAll(':', '::'))
      .join(':'),
  ),
  outside('reply_address', 'Whom an answer goes to: Reply-To: or From:.', ({ context }) => {
    const reply = textOf(headerValue('h', 'reply-to', context))
    return (reply === '' ? textOf(headerValue('h', 'from', context)) : reply).replace(/\n\s*/g, ' ')
  }),
  outside('sender_address', 'The envelope sender.', sender),
  stored('sender_address_data', 'What address_data came to when the sender was verified.'),
  outside('sender_address_domain', 'Domain of the envelope sender.', (e) => splitAddress(sender(e)).domain),
  outside(
    'sender_address_local_part',
    'Local part of the envelope sender.',
    (e) => splitAddress(sender(e)).localPart,
  ),
  stored('sender_data', 'What the matching item of a senders condition gave.'),
  stored('sender_verify_failure', 'Where verifying the sender failed.'),
  stored('warn_message_delay', 'How long the message has been delayed, for warnings.'),
  storedOutside('warn_message_recipients', 'Whom a warning about delay goes to.'),
]
