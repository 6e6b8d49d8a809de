/** What a session knows from command to command, and the few things every command does: answer, log, count. */
import { LateMap } from '../../base/late-map.ts'
import type { ByteString } from '../../base/text.ts'
import type { Recipient, RecipientDsn } from '../../mail/envelope.ts'
import { authField, duration, hostAndIdent, tlsFields } from '../../mail/log-lines.ts'
import type {
  Ports,
  AclResult,
  ConnectionFacts,
  Context,
  DialogueAtWork,
  Log,
  LogFacts,
  MessageFacts,
} from '../../ports.ts'
import type { DataScanner } from '../../wire/smtp/data-scanner.ts'
import { closeHeld } from '../cutthrough-types.ts'
import { formatReply } from '../../wire/smtp/replies.ts'
import type { MessageReceiver } from './body.ts'
import type { Observer, ReceiveServices, SessionIo, SessionWatch } from './services.ts'

/** What EHLO can offer, one bit each: thousands of idle sessions hold this. */
const extensionBits = {
  PIPELINING: 1,
  PIPECONNECT: 2,
  CHUNKING: 4,
  DSN: 8,
  PRDR: 16,
  SMTPUTF8: 32,
  '8BITMIME': 64,
  SIZE: 128,
  STARTTLS: 256,
  AUTH: 512,
  XCLIENT: 1024,
  LIMITS: 2048,
  WELLKNOWN: 4096,
} as const
export type Extension = keyof typeof extensionBits

/** A mail transaction: from MAIL until the message is taken, refused or given up. */
export interface Transaction {
  readonly message: MessageFacts
  /** The session's context with this message. */
  readonly context: Context
  readonly recipients: TransactionRecipient[]
  /** Before rewriting, for the log. */
  readonly rawSender: ByteString
  body8bitmime: 0 | 7 | 8
  dsnRet: 'full' | 'hdrs' | undefined
  dsnEnvid: ByteString | undefined
  /** An ACL for MAIL or RCPT discarded: the message is taken and thrown away. */
  discarded: 'MAIL' | 'RCPT' | undefined
  /** A recipient was taken, to be thrown away. */
  threwAway?: true
  /** What the MAIL ACL that discarded says of each recipient. */
  discardReason?: ByteString | undefined
  /** The statement that let the last recipient, or a message without dialogue, in: for the JSON log. */
  acceptedBy?: AclResult['decidedBy']
}

export interface TransactionRecipient extends Recipient {
  readonly raw: ByteString
  readonly dsn?: RecipientDsn
}

/** A message that comes by BDAT. */
export interface Chunks {
  readonly receiver: MessageReceiver
  readonly scanner: DataScanner
  bytes: number
  failed: boolean
}

/** How a command leaves the session. */
export type Next = 'continue' | 'close'

/** A class, as all its objects have one shape: thousands are held. */
class SessionContext implements Context {
  readonly server: Context['server']
  readonly settings: Context['settings']
  readonly ports: Context['ports']
  readonly connection: ConnectionFacts
  readonly purpose: Context['purpose']
  readonly trace: Context['trace']
  readonly forbidden: Context['forbidden']
  readonly debug: Context['debug']
  readonly signal: Context['signal']
  // What narrower contexts set: see docs/decisions/building.md, "Copies of objects get no new properties".
  readonly message: Context['message'] = undefined
  readonly address: Context['address'] = undefined
  readonly delivery: Context['delivery'] = undefined
  readonly verifyMode: Context['verifyMode'] = undefined
  readonly aclArguments: Context['aclArguments'] = undefined
  readonly aclDepth: Context['aclDepth'] = undefined
  readonly listDepth: Context['listDepth'] = undefined
  readonly listCache: Context['listCache'] = undefined
  readonly bound: Context['bound'] = undefined
  captures: Context['captures'] = []
  readonly variables: Context['variables'] = new LateMap()

  constructor(common: Context, connection: ConnectionFacts, observer: Observer | undefined) {
    this.server = common.server
    this.settings = common.settings
    this.ports = observer === undefined ? common.ports : observer.ports
    this.connection = connection
    this.purpose = common.purpose
    this.trace = observer === undefined ? common.trace : observer.trace
    this.forbidden = common.forbidden
    this.debug = common.debug
    this.signal = common.signal
  }
}

export class Session implements DialogueAtWork {
  readonly io: SessionIo
  readonly services: ReceiveServices
  readonly #observer: Observer | undefined
  readonly connection: ConnectionFacts
  readonly context: Context
  /** Extensions offered in the last EHLO; none after HELO. */
  #offered = 0
  transaction: Transaction | undefined
  #replies = ''
  /** The refusal that every RCPT so far got, for a client that sends DATA all the same. */
  rcptError: ByteString | undefined
  /** RCPT was refused in different words. */
  rcptErrorsDiffer = false
  /** What was under way when the session ended without QUIT: what its ACL is about. */
  lostContext: Context | undefined
  /** One error of the client too many. */
  brokenOff = false
  /** MAIL was refused: a client that groups its commands cannot know, its RCPT and DATA are no errors. */
  mailRefused = false
  /** The command is RCPT, and has its place. */
  commandWasRcpt = false
  /** The command before was such a RCPT. */
  afterRcpt = false
  /** BDAT pieces so far; `failed`: something else came between, only RSET helps. */
  chunks: Chunks | undefined
  heloSeen = false
  esmtp = false
  /** STARTTLS failed for a reason of ours: nothing but QUIT is served. */
  securityFailure = false
  /** Commands that are no part of mail, since a message was last expected. */
  nonmailCommands = 0
  /** One RSET, HELO/EHLO, STARTTLS each before a message is not counted. */
  #uncounted = ''
  authTried = false
  unknownCommands = 0
  syntaxOrProtocolErrors = 0
  messagesStarted = 0
  messagesAccepted = 0
  /** A command came before the answer to the one before it was sent. */
  pipelined = false
  pipeConnectUsed = false
  /** `pipelining_connect_advertise_hosts` matches: input before the banner is no offence. */
  pipeConnectAllowed = false
  /** `control = no_pipelining`, which lasts as long as the connection, though an ACL about one message set it. */
  pipeliningDisabled = false
  /** `control = no_enforce_sync` and its opposite last as long, too; undefined: none came with a message. */
  syncEnforced: boolean | undefined
  /** Refused before the dialogue began. */
  turnedAway = false
  /** Milliseconds; `smtp_receive_timeout`. */
  commandTimeoutMs = 300_000
  /** `message_size_limit`, expanded when the connection began: Exim manual. 0: none. */
  messageSizeLimit = 0
  /** The load above `queue_only_load` that `queue_only_load_latch` holds on to. */
  latchedLoad: number | undefined
  /** smtp_connection lines are written for this client. */
  logsConnection = true
  /** An ending line has been logged. */
  ended = false
  /** A line tells of a session without mail. */
  tellsNoMail = true
  /** `acl_smtp_quit` has run, so `acl_smtp_notquit` does not. */
  quitSeen = false
  /** `acl_smtp_notquit` has run. */
  notQuitRan = false
  /** The line about too many recipients has been written for this message. */
  recipientsMaxLogged = false

  /** The message that the log has been told of as incomplete. */
  #toldIncomplete: Transaction | undefined

  constructor(io: SessionIo, connection: ConnectionFacts, services: ReceiveServices, observer?: Observer) {
    this.io = io
    this.services = services
    this.#observer = observer
    this.connection = connection
    this.context = new SessionContext(services.context, connection, observer)
  }

  get watch(): SessionWatch | undefined {
    return this.#observer === undefined ? this.services.watch : this.#observer.watch
  }

  get log(): Log {
    return this.context.ports.log
  }

  get settings(): Context['settings'] {
    return this.context.settings
  }

  flush(): void {
    this.io.flush()
  }

  markPackets(octet: number): string | undefined {
    return this.io.markPackets === undefined ? 'there is no network' : this.io.markPackets(octet)
  }

  /** `control = debug`: the rest of the session writes its debugging text there. */
  setDebug(write: Context['debug'], panicked: () => void): Ports {
    const own = this.#observer === undefined ? this.services.context.ports : this.#observer.ports
    const ports = write === undefined ? own : (this.services.debugPorts?.(own, write, panicked) ?? own)
    Object.assign(this.context, { debug: write, ports })
    if (this.transaction !== undefined) Object.assign(this.transaction.context, { debug: write, ports })
    return ports
  }

  /** Who is there, for the middle of a log line: `H=(x) [192.0.2.1]`. */
  who(tagged: boolean = true): ByteString {
    return hostAndIdent(this.connection, this.log, tagged)
  }

  /** Notes a reply; it goes out after the command, unless the client is found out of step. */
  reply(code: number, text: ByteString): void {
    this.#replies += formatReply(code, text)
  }

  /** A word to the person who plays a session with `-bh`. */
  remark(text: ByteString): void {
    this.#replies += `\r\n${text}\r\n\r\n`
  }

  /** Sends what has been noted, with what comes next on this connection. */
  send(): void {
    if (this.#replies === '') return
    this.context.debug?.('receive', `SMTP>> ${this.#replies.trimEnd().replaceAll('\r\n', '\n       ')}`)
    this.watch?.reply(this.#replies)
    this.io.write(this.#replies)
    this.#replies = ''
  }

  /** Forgets what has been noted. */
  unsay(): void {
    this.#replies = ''
  }

  /** True for a client on the network, as against a local process. */
  get remote(): boolean {
    return this.connection.hostAddress !== undefined
  }

  /** Local programs may end lines with LF alone; the network may not. */
  get lenientLines(): boolean {
    return this.connection.kind !== 'smtp' || this.connection.hostChecking
  }

  mainLog(text: ByteString, facts?: LogFacts): void {
    this.log.main(this.transaction?.message.id || undefined, text, facts)
  }

  rejectLog(text: ByteString, facts?: LogFacts): void {
    this.log.reject(this.transaction?.message.id || undefined, text, facts === undefined ? {} : { facts })
  }

  /** An address without a domain; the main log has it with `log_selector = +smtp_syntax_error` only. */
  rejectUnqualified(what: 'sender' | 'recipient' | 'verify', address: ByteString, command: string): void {
    this.log.reject(
      this.transaction?.message.id || undefined,
      `unqualified ${what} rejected: <${address}> ${this.who()}${
        this.connection.hostLookup === 'failed' ? ' (failed to find host name from IP address)' : ''
      }`,
      {
        main: this.log.selects('smtp_syntax_error'),
        facts: { event: 'smtp:rejected', what: command },
      },
    )
  }

  /** Logs that a message was under way, once; ACLs at the end of a session run after it and still see the message. */
  incomplete(why: string): void {
    if (this.transaction === undefined || this.transaction === this.#toldIncomplete) return
    this.#toldIncomplete = this.transaction
    this.#logIncomplete(this.transaction, why)
  }

  /** Forgets the transaction; `why` is for the log line of one that was under way. */
  reset(why?: string): void {
    const transaction = this.transaction
    if (why !== undefined) this.incomplete(why)
    if (transaction !== undefined) closeHeld(transaction.message)
    this.syncEnforced = transaction?.message.controls.enforceSync ?? this.syncEnforced
    this.pipeliningDisabled ||= transaction?.message.controls.disablePipelining === true
    // What AUTH of MAIL says is about one message; a local caller is the same for all.
    if (transaction !== undefined && this.remote) this.connection.authenticatedSender = undefined
    void this.chunks?.receiver.abort()
    this.chunks = undefined
    this.transaction = undefined
    this.rcptError = undefined
    this.rcptErrorsDiffer = false
    this.mailRefused = false
    this.recipientsMaxLogged = false
  }

  /** The session ends without QUIT, for a reason that `$smtp_notquit_reason` gives. */
  lose(reason: string): void {
    this.connection.notQuitReason = reason
    this.lostContext = this.transaction?.context
  }

  /** A message was taken or refused: another may begin, and some commands are free again. */
  messageOver(): void {
    this.reset()
    this.countAllAgain()
  }

  offer(extension: Extension): void {
    this.#offered |= extensionBits[extension]
  }

  offers(extension: Extension): boolean {
    return (this.#offered & extensionBits[extension]) !== 0
  }

  offerNothing(): void {
    this.#offered = 0
  }

  /** True the first time since a message was last over: then the command is not counted. */
  isFree(command: string): boolean {
    if (this.#uncounted.includes(command)) return false
    this.#uncounted = this.#uncounted === '' ? command : `${this.#uncounted} ${command}`
    return true
  }

  countAllAgain(): void {
    this.#uncounted = ''
  }

  /** Keeps the refusal of a RCPT. */
  noteRcptError(text: ByteString): void {
    if (this.rcptError !== undefined && this.rcptError !== text) this.rcptErrorsDiffer = true
    this.rcptError = text
  }

  /** A client that groups commands sends RCPT before it knows that MAIL was refused. */
  get rcptExcused(): boolean {
    return this.mailRefused && this.offers('PIPELINING')
  }

  /** A client that groups commands sends DATA before it knows what became of the RCPT just before. */
  get dataExcused(): boolean {
    return this.afterRcpt && this.offers('PIPELINING')
  }

  #logIncomplete(transaction: Transaction, why: string): void {
    if (!this.log.selects('smtp_incomplete_transaction')) return
    const recipients = transaction.recipients.map((one) => one.raw)
    this.mainLog(
      `${this.who()} incomplete transaction (${why}) from <${transaction.rawSender}>` +
        (recipients.length === 0 ? '' : ` for ${recipients.join(' ')}`),
      { event: 'smtp:incomplete', why, sender: transaction.message.sender, recipients },
    )
  }

  /** ` D=3s A=... X=... C=EHLO,QUIT` for the line about a session without mail. */
  noMailFields(): ByteString {
    const history = this.connection.smtpCommandHistory
    const lasted = duration(this.context.ports.now() - this.connection.startedAt, this.log)
    return (
      ` D=${lasted}` +
      authField(this.connection, this.log) +
      tlsFields(this.connection, this.log) +
      historyField(history)
    )
  }
}

/** ` C=EHLO,QUIT`: the last twenty commands. */
export function historyField(history: readonly string[]): ByteString {
  if (history.length === 0) return ''
  return history.length > 20 ? ` C=...${history.slice(-20).join(',')}` : ` C=${history.join(',')}`
}
