/** What reception asks of the rest of the house, and what a dialogue runs over: types only. */
import { LateMap } from '../../base/late-map.ts'
import type { Awaitable } from '../../base/outcome.ts'
import type { ByteString } from '../../base/text.ts'
import type { Envelope, Header } from '../../mail/envelope.ts'
import type { ConnectionFacts, Context, Ports, Trace } from '../../ports.ts'
import type { Spool, SpooledMessage } from '../../store/spool/api.ts'
import type { CutthroughService, HeldOpen } from '../cutthrough-types.ts'
import type { LineReader } from '../../wire/line-reader.ts'

/** Both ends of a dialogue: a socket, standard input and output, a test. */
export interface SessionIo {
  readonly reader: LineReader
  /** Bytes to send; they leave together at the next wait for input, or with `flush`. */
  write(text: ByteString): void
  flush(): void
  /** Sends what is left and closes. */
  end(): Promise<void>
  /** Closes at once. */
  destroy(): void
  /** Sets the traffic class of what is sent; says why when it cannot. Absent: there is no network. */
  markPackets?(octet: number): string | undefined
}

/** What the command line says of new messages: `-odb` and its kin, `-odq`, `-odqs`. */
export type Queueing = 'deliver' | 'queue' | 'smtp later'

/** How a message that is safe on disk is to go on. */
export interface Accepted {
  /** `queue`: it waits for a queue runner. */
  readonly next: 'deliver' | 'queue'
  /** Why it waits, for the log: `queue_only`, `smtp_accept_queue_per_connection` ... */
  readonly because?: string | undefined
  /** What goes to other hosts is routed now and sent in a queue run; see `DeliveryOptions`. */
  readonly later?: 'all' | undefined
  /** A connection to the next host that a callout held open (`hold`): the delivery goes on with it. */
  readonly held?: HeldOpen | undefined
}

/** What became of a message in the end. */
export type DmarcFate = 'accepted' | 'discarded' | 'refused'

/** Rewriting of addresses while a message comes in. Source: Exim manual, "Address rewriting". */
export interface Rewriting {
  /** Rules with flag `S`: the argument of MAIL or RCPT before it is parsed. */
  smtp?(text: ByteString, context: Context): Awaitable<ByteString>
  sender(address: ByteString, context: Context): Awaitable<ByteString>
  recipient(address: ByteString, context: Context): Awaitable<ByteString>
  headers(headers: readonly Header[], context: Context): Awaitable<readonly Header[]>
}

/** STARTTLS, plugged in by who owns TLS. Absent: not offered. */
export interface StartTlsService {
  /** `tls_advertise_hosts` matches and there is a certificate. */
  offered(context: Context): Awaitable<boolean>
  /** Why TLS cannot begin although it was offered; it is logged. Asked before the 220 is sent. */
  problem?(context: Context): Awaitable<string | undefined>
  /** After the 220 was sent; the reader forgets what came in the clear. Sets `connection.tls`. */
  start(
    io: SessionIo,
    context: Context,
  ): Promise<{ readonly is: 'started' } | { readonly is: 'failed'; readonly why: string }>
}

/** AUTH, plugged in by who owns the authenticators. Absent: not offered. */
export interface AuthService {
  /** Mechanisms to advertise now, in order; empty: none. */
  mechanisms(context: Context): Awaitable<readonly string[]>
  authenticate(request: AuthRequest, context: Context): Promise<AuthResult>
  /** TLS has begun: a certificate may authenticate the connection. */
  afterTls(context: Context): Promise<void>
}
export interface AuthRequest {
  readonly mechanism: string
  /** In base 64, as it came with the command. */
  readonly initial: ByteString | undefined
  /** `control = allow_auth_unadvertised`: mechanisms count that were not offered. */
  readonly unadvertised: boolean
  /** Sends a 334 challenge and reads the answer; undefined when the client is gone. */
  challenge(text: ByteString): Promise<ByteString | undefined>
}
export type AuthResult =
  | {
      readonly is: 'ok'
      /** Of the authenticator. */
      readonly name: string
      /** Of the mechanism. */
      readonly publicName: string
      readonly id: ByteString | undefined
    }
  /** No such mechanism was offered. */
  | { readonly is: 'unknown' }
  | {
      readonly is: 'refused'
      readonly name: string
      readonly code: number
      readonly reply: ByteString
      /** Reply as the log has it; `why` follows after the id. */
      readonly log: ByteString
      readonly why?: ByteString
      readonly id?: ByteString | undefined
    }
  /** The client went away. */
  | { readonly is: 'gone' }

/** Somebody who wants to know why a session goes as it goes. */
export interface SessionWatch {
  /** A command has come; secrets are left out. */
  command(line: ByteString): void
  /** What was sent in answer. */
  reply(text: ByteString): void
  /** Part of a dialogue of AUTH: nobody is to see this. */
  secret(text: ByteString): void
}

/** What stands in place of the services' own when one session is to be explained. */
export interface Observer {
  readonly watch: SessionWatch
  readonly trace: Trace
  /** Write down what they are asked. */
  readonly ports: Ports
}

export interface ReceiveServices {
  /** Server, settings and ports; a session adds its connection. */
  readonly context: Context
  readonly spool: Spool
  readonly watch?: SessionWatch | undefined
  /** Ports that tell of what they are asked and log: `control = debug`. Absent: only the flow itself tells. */
  debugPorts?(ports: Ports, debug: NonNullable<Context['debug']>, panicked: () => void): Ports
  /** Called once a message is on disk and its client has (or is about to get) the answer. */
  accepted(message: SpooledMessage, how: Accepted): void
  /** Told of each message that would be kept if this were more than a test (`hostChecking`). */
  rehearsed?(envelope: Envelope, context: Context): void
  /** Fires when the server stops: sessions that wait for a command get 421. */
  readonly shutdown: AbortSignal
  /** `-odq`, `-odqs` and the like; undefined: as configured. */
  readonly queueing?: Queueing | undefined
  /** `-odf`, `-odi`: deliveries are over before the call ends, those of reports too. */
  readonly foreground?: boolean
  /** Why messages of this connection wait (`smtp_accept_queue`): decided when it began. */
  readonly queueWhy?: string | undefined
  /** Load average of one minute, for `queue_only_load`. */
  load(): number
  /** `-oMm`: the id of the message that new ones are about, for `R=` in the log. */
  readonly reference?: string | undefined
  /** `-os`, in place of `smtp_receive_timeout`; 0: no limit. */
  readonly commandTimeoutMs?: number | undefined
  readonly rewriting?: Rewriting | undefined
  readonly startTls?: StartTlsService | undefined
  readonly auth?: AuthService | undefined
  /** `control = cutthrough_delivery`. Absent: messages are queued and delivered as usual. */
  readonly cutthrough?: CutthroughService | undefined
  /** Starts a queue run for the argument of ETRN; its text is the reply when it cannot. */
  etrn?(
    argument: ByteString,
    context: Context,
  ): Awaitable<{ readonly is: 'started' | 'busy' | 'failed'; readonly text: string }>
  /** Told of each message whose DATA ACL has run, for DMARC reports. Does not hold the session up. */
  readonly dmarc?: { settled(context: Context, fate: DmarcFate): void } | undefined
  /** Sends a notice that a message was frozen to the addresses of `freeze_tell`. */
  tellFrozen?(envelope: Envelope, to: string): Promise<void>
  /** One-level expansion for EXPN: the lines of the reply. Absent: the address itself. */
  expn?(
    address: ByteString,
    context: Context,
  ): Promise<{ readonly is: 'ok' | 'fail'; readonly lines: readonly ByteString[] }>
}

/** Facts of a connection that has just begun. */
export interface NewConnection {
  readonly kind: ConnectionFacts['kind']
  readonly hostAddress?: string | undefined
  readonly hostPort?: number | undefined
  readonly interfaceAddress?: string | undefined
  readonly interfacePort?: number | undefined
  readonly activeHostname: string
  readonly connectionId: string
  readonly startedAt: number
  readonly countAtStart?: number
  readonly hostChecking?: boolean
  readonly ident?: ByteString | undefined
  readonly caller?: ConnectionFacts['caller']
}

/** Makes the record of a connection with everything unknown set to its neutral value. */
export function newConnection(known: NewConnection): ConnectionFacts {
  return new Connection(known)
}

const none: readonly never[] = []

/** A class, as all its objects have one shape: thousands of connections are held, most of them idle. */
class Connection implements ConnectionFacts {
  readonly kind: ConnectionFacts['kind']
  hostAddress: string | undefined
  hostPort: number
  interfaceAddress: string | undefined
  interfacePort: number
  hostName: string | undefined = undefined
  hostAliases: readonly string[] = none
  hostLookup: ConnectionFacts['hostLookup'] = 'not done'
  hostDnssec = false
  hostNameHidden = false
  helo: ByteString | undefined = undefined
  heloVerified: boolean | undefined = undefined
  protocol: ByteString
  ident: ByteString | undefined
  tls: ConnectionFacts['tls'] = undefined
  proxy: ConnectionFacts['proxy'] = undefined
  authenticatedId: ByteString | undefined = undefined
  authenticatedSender: ByteString | undefined = undefined
  authenticatedBy: string | undefined = undefined
  authenticatedMechanism: string | undefined = undefined
  authenticationFailed = false
  authenticatedFailId: ByteString | undefined = undefined
  activeHostname: string
  readonly connectionId: string
  readonly aclC: ConnectionFacts['aclC'] = new LateMap()
  smtpCommand: ByteString = ''
  smtpCommandArgument: ByteString = ''
  smtpCommandHistory: readonly string[] = none
  countAtStart: number
  notQuitReason = ''
  readonly startedAt: number
  readonly hostChecking: boolean
  declare caller?: NonNullable<ConnectionFacts['caller']>
  dialogue: ConnectionFacts['dialogue'] = undefined
  readonly extra: ConnectionFacts['extra'] = new LateMap()

  constructor(known: NewConnection) {
    this.kind = known.kind
    this.hostAddress = known.hostAddress
    this.hostPort = known.hostPort ?? 0
    this.interfaceAddress = known.interfaceAddress
    this.interfacePort = known.interfacePort ?? 0
    this.protocol = known.kind === 'local' ? 'local' : 'smtp'
    this.ident = known.ident
    this.activeHostname = known.activeHostname
    this.connectionId = known.connectionId
    this.countAtStart = known.countAtStart ?? 0
    this.startedAt = known.startedAt
    this.hostChecking = known.hostChecking ?? false
    if (known.caller !== undefined) this.caller = known.caller
  }
}
