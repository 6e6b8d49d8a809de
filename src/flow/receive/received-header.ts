/** The Received: line of this hop. Source: Exim manual, "The Received: header line". */
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import { headerDate } from '../../mail/date.ts'
import type { Header } from '../../mail/envelope.ts'
import type { Context } from '../../ports.ts'

/**
 * Expands `received_header_text` and puts the time behind it; empty when the option is.
 * Failing to expand it is a mistake of the configuration: the message is deferred by the caller.
 */
export async function receivedHeader(
  context: Context,
  at: number,
): Promise<Header | { readonly problem: string } | undefined> {
  const text = await context.ports.expand(context.settings.received_header_text, context)
  if (isFailure(text)) return { problem: text.message }
  const line = textOf(text)
  if (line === '') return undefined
  return { type: 'P', text: `${line};\n\t${headerDate(at)}\n` }
}

/** The same line with a later time: that of acceptance. */
export function withTime(header: Header, at: number): Header {
  const cut = header.text.lastIndexOf(';\n\t')
  return { type: header.type, text: `${header.text.slice(0, cut)};\n\t${headerDate(at)}\n` }
}
