/** What comes of delivering: per address, per host, per message. */
import type { ByteString } from '../../base/text.ts'
import type { HostLine } from '../../mail/delivery-lines.ts'
import type { TlsFacts } from '../../ports.ts'
import type { RoutedAddress } from '../routed.ts'

/**
 * Numbers that stand for errors of mail in log lines and hints; numbers above 0 are the system's.
 * Source: observed of Exim 4.96 (`defer (-44)`).
 */
export const errorNumbers = {
  unknown: -1,
  notRegular: -4,
  badOwner: -6,
  badMode: -7,
  notAbsolute: -21,
  filterFailed: -24,
  badCreate: -34,
  mailboxLocked: -9,
  lostConnection: -18,
  malformedReply: -19,
  mailboxFull: -22,
  rcpt4xx: -44,
  mail4xx: -45,
  data4xx: -46,
  routingRetryTime: -52,
  localRetryTime: -53,
  hostRetryTime: -54,
  badGroup: -28,
  /** Also a user that cannot be told. */
  neverUser: -29,
  authFailed: -42,
  authProblem: -48,
  /** A host that could not be looked up. */
  lookup: -32,
  /** A host that is this one. */
  localHost: -50,
  /** A TLS session that could not be had. */
  tlsFailure: -37,
  tlsRequired: -38,
  eventDeferred: -27,
  expansionFailed: -27,
  headersNotExpanded: -25,
  eventRefused: -58,
  notPermitted: 13,
  timedOut: 110,
  refused: 111,
} as const

/** An error as retry rules see it. */
export interface DeliveryError {
  readonly errno: number
  /** Exim's second number: for 4xx errors the last two digits times 256, plus 65 (`A`) or 77 (`M`, an MX host). */
  readonly more: number
  /** The system's sentence, for numbers above 0. */
  readonly errorText?: string | undefined
  /** What the log and the bounce say; undefined when the sentence is all. */
  readonly message: ByteString | undefined
}

/** A reply of another server that refused, for bounces. */
export interface RemoteDiagnostic {
  readonly host: ByteString
  readonly address: string
  /** `550 5.1.1 no such user`, several lines joined by LF; undefined when no reply came. */
  readonly reply: ByteString | undefined
}

/** Where an address went: for its log line, and with all of TLS for events. */
export interface HostAt extends HostLine {
  readonly tls?: TlsFacts | undefined
}

/** What became of one address. */
export type AddressOutcome =
  | {
      readonly is: 'delivered'
      readonly sizeBytes: number
      readonly host?: HostAt | undefined
      readonly confirmation?: ByteString | undefined
      readonly pipelined?: boolean
      /** Commands left before the greeting came: `hosts_pipe_connect`. */
      readonly early?: boolean
      readonly chunked?: boolean
      readonly prdr?: boolean
      readonly authenticator?: ByteString | undefined
      readonly shadow?: ByteString | undefined
      /** Delivery to /dev/null: nothing was run. */
      readonly bypassed?: boolean
      /** The path that was written, where the redirection named another (`inbox`). */
      readonly shownAs?: ByteString | undefined
      /** The next hop offered DSN, so it answers for success reports. */
      readonly dsnPassedOn?: boolean
      /** Output of a pipe that goes to the sender although the delivery succeeded. */
      readonly returnedOutput?: ByteString | undefined
    }
  | {
      readonly is: 'failed'
      readonly error: DeliveryError
      readonly host?: HostAt | undefined
      readonly diagnostic?: RemoteDiagnostic | undefined
      readonly returnedOutput?: ByteString | undefined
      /** What the bounce says in place of the message. */
      readonly bounceText?: ByteString | undefined
      readonly freeze?: boolean
    }
  | {
      readonly is: 'deferred'
      readonly error: DeliveryError
      readonly host?: HostAt | undefined
      readonly diagnostic?: RemoteDiagnostic | undefined
      /** What a warning says in place of the message. */
      readonly bounceText?: ByteString | undefined
      /** The key under which a retry time of the address itself is kept; undefined: the host's decides. */
      readonly retryKey?: string | undefined
      /** The path that was to be written, where the redirection named another (`inbox`). */
      readonly shownAs?: ByteString | undefined
      /**
       * Nothing was tried: a retry time is not reached (`true`), it is left for a queue run, or it does not go to the
       * host of the connection that was handed on.
       */
      readonly notTried?: boolean | 'queued' | 'elsewhere'
      readonly freeze?: boolean
      readonly returnedOutput?: ByteString | undefined
    }

/** What became of trying one host. */
export interface HostOutcome {
  /** `T:name:address:port/interface`, with the message id for an error of this message alone. */
  readonly retryKey: string
  readonly hostName: ByteString
  /** Domains of the addresses that went there: the second subject of retry rules. */
  readonly domain: ByteString
  /** Undefined: it worked, what was known against it is forgotten. */
  readonly error: DeliveryError | undefined
  /** The error concerns this message, not the host. */
  readonly ofMessage: boolean
  /** A refusal of the message for good: the lines of its addresses tell of it, the host is not to blame. */
  readonly untold?: boolean
  /** Where, for events. */
  readonly place?: { readonly name: ByteString; readonly address: string; readonly port: number } | undefined
  /** The line for the main log, without flag. */
  readonly line?: ByteString | undefined
}

export interface AddressResult {
  readonly routed: RoutedAddress
  readonly outcome: AddressOutcome
  readonly deliveryMs: number
}

/** What a transport gives back for a batch. */
export interface TransportResult {
  readonly addresses: readonly AddressResult[]
  readonly hosts: readonly HostOutcome[]
  /** What the transport made of the return path. */
  readonly returnPath?: ByteString
  /** When the first of the hosts that were passed over may be tried again. */
  readonly passedOverUntil?: number | undefined
  /** Some hosts were not come to: `hosts_max_try`. */
  readonly hostsLeft?: boolean
}

/** What became of a message in one attempt. */
export interface DeliverySummary {
  readonly is: 'completed' | 'kept' | 'frozen' | 'skipped'
  readonly delivered: number
  readonly failed: number
  readonly deferred: number
  /** When it is worth trying again, milliseconds since 1970; undefined: at any queue run. */
  readonly nextAttemptAt?: number | undefined
  /** `mua_wrapper`: why the message was not delivered, for the caller. */
  readonly problem?: ByteString
}
