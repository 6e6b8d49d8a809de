/**
 * A message as it stands in the spool: everything about it but its body.
 * It holds what Exim's -H file holds, so that `postern spool export|import` loses nothing.
 * Source: Exim manual, "Format of spool files".
 */
import type { ByteString } from '../base/text.ts'

/** One header with its line ends (LF), name and all, as in the -H file. */
export interface Header {
  /**
   * Exim's type letter: `B` Bcc, `C` Cc, `F` From, `I` Message-ID, `P` Received, `R` Reply-To, `S` Sender, `T` To,
   * `*` deleted or rewritten, space for others.
   */
  readonly type: string
  readonly text: ByteString
}

/** RFC 3461 values of one recipient. */
export interface RecipientDsn {
  /** NOTIFY: empty when not given. */
  readonly notify: readonly ('never' | 'success' | 'failure' | 'delay')[]
  readonly orcpt: ByteString | undefined
}

export interface Recipient {
  readonly address: ByteString
  readonly dsn?: RecipientDsn
  /** From a `one_time` redirection: where its bounces go. */
  readonly errorsTo?: ByteString
  /** From a `one_time` redirection: index of its parent among the recipients. */
  readonly parent?: number
}

/** Who submitted it: the calling user for local mail, the run-time user for SMTP. */
export interface Originator {
  readonly login: ByteString
  readonly uid: number
  readonly gid: number
}

/** What the session knew about the sending host, kept for delivery time. */
export interface OriginHost {
  readonly address: string
  readonly port: number
  readonly name?: ByteString
  readonly helo?: ByteString
  readonly ident?: ByteString
  readonly authenticated?: ByteString
  readonly interfaceAddress?: string
  readonly interfacePort?: number
  readonly tlsCipher?: string
  readonly tlsPeerDn?: ByteString
  readonly tlsSni?: ByteString
  readonly tlsCertificateVerified?: boolean
  readonly tlsVersion?: string
  /** `$tls_in_peercert`: DER in base 64. */
  readonly tlsPeerCertificate?: string
}

export interface Envelope {
  /** Exim's message id. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  /** How long receiving took, in milliseconds. */
  readonly receiveMs: number
  readonly originator: Originator
  /** Empty for `<>`. */
  readonly sender: ByteString
  readonly recipients: readonly Recipient[]
  readonly headers: readonly Header[]
  /** `$received_protocol`. */
  readonly protocol: ByteString
  readonly host?: OriginHost
  /** `$sender_ident` of a local submission is the login name. */
  readonly ident?: ByteString
  readonly authenticatedId?: ByteString
  readonly authenticatedSender?: ByteString
  /** True when submitted locally by a non-SMTP way or `-bs` (Exim: `-local`). */
  readonly local: boolean
  readonly localErrorMessage?: boolean
  /** Whether the client could leave out domains. */
  readonly allowUnqualified?: { readonly senders: boolean; readonly recipients: boolean }
  readonly bodyLines: number
  readonly bodyZeros: number
  /** Bytes of the body as delivered with LF line ends. */
  readonly bodySize: number
  readonly maxReceivedLineLength: number
  readonly spoolFileWireformat?: boolean
  readonly body8bit?: boolean
  readonly smtputf8?: boolean
  /** Addresses are turned into ASCII for the next host: 1 always, -1 where it needs that. */
  readonly utf8Downconvert?: number
  readonly dsnRet?: 'full' | 'hdrs'
  readonly dsnEnvid?: ByteString
  /** `$acl_c*` and `$acl_m*` at reception, names without `acl_`: `c_foo`, `m1`; tainted values say where from. */
  readonly aclVariables?: Readonly<Record<string, { readonly text: ByteString; readonly taintedBy?: string }>>
  readonly queueName?: string
  /** `control = queue`, `-odq`: no immediate delivery. */
  readonly queueOnly?: boolean
  readonly noLocalCopy?: boolean
  readonly senderSetUntrusted?: boolean
  /** Extra items for later capabilities (`spam_score`, `dkim` ...): any JSON value. */
  readonly extra?: Readonly<Record<string, unknown>>

  // What changes while it is in the queue.
  /** Milliseconds since 1970 when frozen. */
  readonly frozenAt?: number
  readonly manuallyThawed?: boolean
  /** No delivery attempt has ended yet. */
  readonly firstDelivery: boolean
  /** How many delay warnings went out. */
  readonly warningCount?: number
  /** Addresses that are done (delivered, failed and bounced, or generated and dealt with): Exim's non-recipients tree. */
  readonly done: readonly ByteString[]
}
