/** The action `notify` with its method mailto. Source: RFC 5435, RFC 5436. */
import type { ByteString } from '../../../../base/text.ts'
import { parseAddress } from '../../../../mail/parse-address.ts'
import { encodeWords } from '../../../../mail/rfc2047.ts'
import type { SieveAction } from './actions.ts'
import { onlyString, readArguments } from './arguments.ts'
import { SieveError, type SieveNode } from './grammar.ts'
import { readMailto } from './mailto.ts'
import { envelopeFrom, headerValues } from './message.ts'
import type { SieveScript } from './script.ts'
import { oneLine } from './vacation.ts'

export function compileNotify(node: SieveNode, script: SieveScript): SieveAction {
  const read = readArguments(node, {
    from: 'string',
    importance: 'string',
    options: 'strings',
    message: 'string',
  })
  const uri = script.text(onlyString(node, read, 'method string'), node.line)
  const mailto = readMailto(uri)
  if (mailto === undefined) throw new SieveError('unknown notification method', node.line)
  const importance = read.string('importance') ?? '2'
  if (!/^[123]$/.test(importance)) throw new SieveError('invalid importance', node.line)
  const from = read.string('from')
  if (from !== undefined && parseAddress(from).is === 'error')
    throw new SieveError('invalid sender', node.line)
  const said = read.string('message')
  return (run) => {
    const { context, options } = script
    // RFC 5436 section 2.7.1: a notification must not lead to another.
    if (isNotification(script)) return
    const original = headerValues('subject', context)[0] ?? ''
    const subject = said ?? mailto.subject ?? (original === '' ? 'Notification' : original)
    run.deliveries.push({
      is: 'reply',
      noError: true,
      reply: {
        to: mailto.to.join(', '),
        from: from ?? options.notifyOwner ?? '',
        subject: encodeWords(oneLine(subject), 'utf-8'),
        headers: [...priority(importance), ...mailto.headers].join('\n'),
        text: mailto.body ?? defaultText(script),
        autoSubmitted: `auto-notified; owner-email="${options.notifyOwner ?? ''}"`,
      },
    })
  }
}

function isNotification({ context }: SieveScript): boolean {
  return (
    envelopeFrom(context) === '' ||
    headerValues('auto-submitted', context).some((value) => value.toLowerCase() !== 'no')
  )
}

function priority(importance: string): ByteString[] {
  if (importance === '1') return ['Importance: High', 'X-Priority: 1']
  return importance === '3' ? ['Importance: Low', 'X-Priority: 5'] : []
}

function defaultText(script: SieveScript): ByteString {
  const from = headerValues('from', script.context)[0] ?? ''
  const subject = headerValues('subject', script.context)[0] ?? ''
  return `Notification for a new message\n\nFrom: ${oneLine(from)}\nSubject: ${oneLine(subject)}\n`
}
