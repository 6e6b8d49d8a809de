/** What an authenticator driver is: one row of the index; and the dialogues it leads, as server or as client. */
import type { Report } from '../../base/diagnostic.ts'
import type { ByteString } from '../../base/text.ts'
import type { AuthenticatorInstance } from '../../language/config/configuration.ts'
import type { OptionTable } from '../../language/config/options/table.ts'
import type { AuthValues } from './values.ts'

export interface AuthenticatorDriver {
  readonly name: string
  readonly doc: string
  readonly options: OptionTable
  /** Reports settings that cannot work together; called once at load. */
  check(instance: AuthenticatorInstance, report: Report): void
  /** The settings make it a server; a driver without this never is one. */
  isServer(instance: AuthenticatorInstance): boolean
  isClient(instance: AuthenticatorInstance): boolean
  /** Never advertised and never asked for with AUTH: it looks at the TLS session. */
  readonly withTls?: true
  /** The mechanism begins with a challenge: data that comes with AUTH, whatever it is, is refused. */
  readonly serverSpeaksFirst?: true
  serve(dialogue: ServerDialogue): Promise<ServerVerdict>
  readonly call?: (dialogue: ClientDialogue) => Promise<ClientVerdict>
}

/** One run of AUTH, seen from the server. */
export interface ServerDialogue {
  readonly instance: AuthenticatorInstance
  readonly values: AuthValues
  /** Data that came with the command, decoded; undefined: none. */
  readonly initial: ByteString | undefined
  /** Sends a 334 challenge (encoded here) and gives the decoded answer. */
  readonly ask: (challenge: ByteString) => Promise<Answer>
}
export type Answer = { readonly is: 'data'; readonly data: ByteString } | Unusable

/** The answer was of no use: the dialogue ends with a 501, or in silence when the client is gone. */
export interface Unusable {
  readonly is: 'cancelled' | 'not base64' | 'gone'
}

export type ServerVerdict =
  | { readonly is: 'ok' }
  | { readonly is: 'fail' }
  /** Try later: `why` is for the log, `told` for the client. */
  | { readonly is: 'defer'; readonly why: ByteString; readonly told?: ByteString }
  /** Data came with a command of a mechanism in which the server speaks first. */
  | { readonly is: 'unexpected data' }
  | Unusable

/** One run of AUTH, seen from the client. */
export interface ClientDialogue {
  readonly instance: AuthenticatorInstance
  readonly values: AuthValues
  /** Sends AUTH with the mechanism and data, encoded here; undefined: no data. */
  begin(data: ByteString | undefined): Promise<ServerReply>
  /** Answers a challenge. */
  answer(data: ByteString): Promise<ServerReply>
  /** Gives up with `*`: RFC 4954 section 4. */
  cancel(): Promise<void>
}
export type ServerReply =
  /** 334; `data` is undefined when it is not base 64. */
  | { readonly is: 'challenge'; readonly data: ByteString | undefined; readonly text: ByteString }
  | { readonly is: 'accepted' }
  /** Refused or lost; the caller knows the details. */
  | { readonly is: 'ended' }

export type ClientVerdict =
  | { readonly is: 'accepted' }
  /** The server's last reply, or the loss of the connection, decides. */
  | { readonly is: 'ended' }
  /** An expansion was forced to fail: not for this host. */
  | { readonly is: 'declined' }
  /** What the server said makes no sense; the next mechanism may do better. */
  | { readonly is: 'cancelled'; readonly why: ByteString }
  /** An expansion failed: this host must wait. */
  | { readonly is: 'failure'; readonly message: ByteString }
