/** What routing, delivery and the server hand in as messages of their own. */
import type { ByteString } from '../base/text.ts'

/** A message that the program itself writes: a bounce, a warning, an automatic reply. */
export interface GeneratedMessage {
  /** Envelope sender; empty for `<>`. */
  readonly sender: ByteString
  readonly recipients: readonly ByteString[]
  /** Header section, blank line and body, LF line ends; Received:, Message-ID: and Date: are added at reception. */
  readonly text: ByteString
  /** The id of the message it is about, for `R=` on its arrival line; empty: none. */
  readonly about: string
  /** True for bounces and warnings (Exim: `-localerror`). */
  readonly isReport: boolean
  /** The user in whose name an answer is written; left out: the run-time user. */
  readonly writtenBy?: number
  /** A report about TLS: it goes out where TLS cannot be had, too. RFC 8460 section 3. */
  readonly aboutTls?: true
}

export type Submitted =
  | { readonly is: 'accepted'; readonly id: string }
  /** `byAcl`: `acl_not_smtp` wants no such message. */
  | { readonly is: 'refused'; readonly message: string; readonly byAcl?: true }
