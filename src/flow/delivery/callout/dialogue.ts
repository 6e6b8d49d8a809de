/** The commands of a callout on an open connection, and what their answers mean. Source: Exim manual, "Callout verification". */
import type { ByteString } from '../../../base/text.ts'
import type { Broken, SmtpClient } from '../../../wire/smtp/client.ts'
import type { SmtpReply } from '../../../wire/smtp/client-reply.ts'
import { brokenError } from '../transports/smtp-session.ts'

/** Where a callout stands when something goes wrong. */
export type Stage = 'mail' | 'recipient' | 'postmaster'

export type Asked =
  | { readonly is: 'accepted'; readonly reply: SmtpReply }
  | {
      readonly is: 'rejected' | 'deferred'
      readonly at: 'mail' | 'rcpt'
      readonly sent: ByteString
      readonly reply: SmtpReply
    }
  /** No answer. */
  | {
      readonly is: 'lost'
      readonly at: 'mail' | 'rcpt'
      readonly sent: ByteString
      readonly message: ByteString
    }

export interface Question {
  readonly from: ByteString
  readonly to: ByteString
  /** Parameters after the address of MAIL. */
  readonly parameters?: string
  readonly pipelining: boolean
  readonly timeoutMs: number
  /** A transaction has begun on this connection: RSET comes first. */
  readonly again: boolean
  /** RCPT alone, within the transaction that has begun. */
  readonly sameMail?: boolean
}

/** MAIL and RCPT for one address. */
export async function ask(client: SmtpClient, question: Question): Promise<Asked> {
  const { timeoutMs, pipelining } = question
  const mail = `MAIL FROM:<${question.from}>${question.parameters ?? ''}`
  const rcpt = `RCPT TO:<${question.to}>`
  const commands: { readonly at: 'rset' | 'mail' | 'rcpt'; readonly text: string }[] = [
    ...(question.again && question.sameMail !== true ? [{ at: 'rset' as const, text: 'RSET' }] : []),
    ...(question.sameMail === true ? [] : [{ at: 'mail' as const, text: mail }]),
    { at: 'rcpt', text: rcpt },
  ]
  const replies: SmtpReply[] = []
  let broken: Broken | undefined
  if (pipelining) {
    const text = commands.map((command) => `${command.text}\r\n`).join('')
    const exchange = await client.exchange(text, commands.length, timeoutMs)
    replies.push(...exchange.replies)
    broken = exchange.broken
  }
  for (const [index, { at, text }] of commands.entries()) {
    if (!pipelining) {
      const exchange = await client.exchange(`${text}\r\n`, 1, timeoutMs)
      if (exchange.replies[0] !== undefined) replies.push(exchange.replies[0])
      broken = exchange.broken
    }
    const reply = replies[index]
    const place = at === 'rcpt' ? 'rcpt' : 'mail'
    if (reply === undefined) return { is: 'lost', at: place, sent: text, message: lostMessage(broken, text) }
    if (reply.code < 300) continue
    return { is: reply.code >= 500 ? 'rejected' : 'deferred', at: place, sent: text, reply }
  }
  // There was one reply for each command.
  return { is: 'accepted', reply: replies[commands.length - 1] as SmtpReply }
}

/** In Exim's words, which differ from those of a delivery. */
function lostMessage(broken: Broken | undefined, command: ByteString): ByteString {
  if (broken?.is === 'timeout' || broken?.is === 'malformed') {
    return brokenError(broken, command, 0).message ?? ''
  }
  return `response to "${command}" was: connection dropped`
}
