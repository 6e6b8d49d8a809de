/** What an SPF check of a message found, for variables, headers and log lines. Source: Exim manual, "SPF". */
import type { ByteString } from '../base/text.ts'
import type { Context, MessageFacts } from '../ports.ts'

const KEY = 'spf'

export class SpfFacts {
  /** A word of RFC 7208 section 2.6, or `(invalid)` when nothing could be checked. */
  readonly result: string
  /** `mfrom`: the envelope sender's domain was asked for; `helo`: the name the client gave. */
  readonly identity: 'mfrom' | 'helo'
  readonly usedDomain: ByteString
  /** True when the guessed policy decided. */
  readonly guessed: boolean
  /** For people; printable ASCII. */
  readonly headerComment: ByteString
  /** A whole Received-SPF: header, without line end. */
  readonly received: ByteString
  /** What to say to a client; empty when there is nothing to say. */
  readonly smtpComment: ByteString

  constructor(facts: {
    readonly result: string
    readonly identity: 'mfrom' | 'helo'
    readonly usedDomain: ByteString
    readonly guessed: boolean
    readonly headerComment: ByteString
    readonly received: ByteString
    readonly smtpComment: ByteString
  }) {
    this.result = facts.result
    this.identity = facts.identity
    this.usedDomain = facts.usedDomain
    this.guessed = facts.guessed
    this.headerComment = facts.headerComment
    this.received = facts.received
    this.smtpComment = facts.smtpComment
  }
}

/** Keeps what the last check found with the message, or with the connection where no message is at hand. */
export function keepSpf(context: Context, facts: SpfFacts): void {
  ;(context.message ?? context.connection)?.extra.set(KEY, facts)
}

/** What the last check found; undefined when there was none. */
export function spfOf(holder: Pick<MessageFacts, 'extra'> | undefined): SpfFacts | undefined {
  const facts = holder?.extra.get(KEY)
  return facts instanceof SpfFacts ? facts : undefined
}
