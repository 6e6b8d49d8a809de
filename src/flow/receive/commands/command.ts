/** The shape of a command's row. */
import type { ByteString } from '../../../base/text.ts'
import type { VerbForm } from '../../../wire/smtp/grammar.ts'
import type { Next, Session } from '../session-state.ts'

export interface Command extends VerbForm {
  readonly name: string
  readonly doc: string
  /** Counts for `smtp_accept_max_nonmail`; `onceFree`: not the first time before each message. */
  readonly nonmail: boolean | 'onceFree'
  /** The client need not wait for the answer: always, or when PIPELINING was offered. */
  readonly groupable: 'always' | 'pipelining' | false
  proceed(session: Session, argument: ByteString): Promise<Next> | Next
}
