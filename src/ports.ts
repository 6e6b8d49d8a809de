/**
 * What an expansion, a list, an ACL or a router may look at and ask of the rest: types only.
 *
 * `Context` is what they look at: facts, put there by whoever knows them. `Ports` is what they ask: each is
 * answered by a lower or a higher floor and plugged in one place, `server/wire.ts`; a test, `explain` or
 * `replay` plugs a record in the place of the world.
 *
 * Facts hold bytes as they came. Whether a value is tainted is said once, in the variable table
 * (`language/expand/variables`); fields of type `Text` carry their own taint.
 */
import type { Expandable } from './base/expandable.ts'
import type { Noted, NotedPlace } from './base/noted.ts'
import type { Awaitable, Outcome } from './base/outcome.ts'
import type { ByteString, Text } from './base/text.ts'
import type { Configuration, ListKind } from './language/config/configuration.ts'
import type { MainSettings } from './language/config/options/main.ts'
import type { Header, Recipient } from './mail/envelope.ts'
import type { EventName } from './mail/events.ts'
import type { MetricName } from './mail/metrics.ts'

// ---------------------------------------------------------------------------------------------- facts

/** What does not change while a configuration is in force. */
export interface ServerFacts {
  readonly configuration: Configuration
  readonly primaryHostname: string
  readonly qualifyDomain: string
  readonly qualifyRecipient: string
  readonly spoolDirectory: string
  /** Where the main log is, when it is a file. */
  readonly logFolder?: string | undefined
  /** Addresses of this host's interfaces, for `@[]` and `self`. */
  localInterfaces(): readonly string[]
  /** The run-time user and group. */
  readonly eximUid: number
  /** Its login name; left out: to be looked up. */
  readonly eximLogin?: string
  readonly eximGid: number
  readonly eximPath: string
  /** `4.99`: the Exim whose language this is. */
  readonly eximVersion: string
  /** Postern's own. */
  readonly posternVersion: string
  readonly pid: number
  /** The folder the program was started in. */
  readonly initialCwd?: string
  /** How many messages wait; undefined in a process that has not opened the spool to write. */
  queueSize?(): number | undefined
}

/** TLS of one connection, in or out. */
export interface TlsFacts {
  readonly cipher: string
  readonly cipherStd: string
  readonly version: string
  readonly bits: number
  readonly certificateVerified: boolean
  readonly peerDn: ByteString
  readonly sni: ByteString
  /** 0 to 4: requirement O12. */
  readonly ocsp: number
  readonly resumed: boolean
  /** Bits of `$tls_in_resumption` and its twin. */
  readonly resumption?: number
  /** Of a connection out whose host has TLSA records: whether DANE proved it, and their usages, one bit each. */
  readonly dane?: boolean
  readonly tlsaUsage?: number
  readonly peerCertificate?: Uint8Array
  readonly ourCertificate?: Uint8Array
  readonly onConnect: boolean
}

/** What a PROXY header told, or that it should have and did not. */
export interface ProxyFacts {
  readonly session: boolean
  /** No valid header came: only QUIT is served, and the addresses are empty. */
  readonly failed: boolean
  /** The proxy speaks for itself: such sessions are not logged. */
  readonly healthCheck: boolean
  readonly localAddress: string
  readonly localPort: number
  readonly externalAddress: string
  readonly externalPort: number
  readonly tlvs: ReadonlyMap<number, ByteString>
}

/** What ACLs may ask of the session they run in. */
export interface DialogueAtWork {
  /** Sends the answers that wait for the client's next input. */
  flush(): void
  /** Sets the traffic class octet of what is sent to the client; says why when it cannot. */
  markPackets(octet: number): string | undefined
  /**
   * All that follows in this session writes its debugging text there; `panicked` is told of lines for the panic log.
   * @returns the ports that tell of themselves
   */
  setDebug(write: Context['debug'], panicked: () => void): Ports
}

/** One SMTP connection or one local submission. Lives from accept to close; fields change as the session learns. */
export interface ConnectionFacts {
  /** `smtp` over TCP, `bs` SMTP on stdin, `local` a message without dialogue. */
  readonly kind: 'smtp' | 'bs' | 'local'
  /** Undefined for local input; with `-bs`/`-oMa` it may be set. IPv6 in its short form. */
  hostAddress: string | undefined
  hostPort: number
  interfaceAddress: string | undefined
  interfacePort: number
  /** State of the reverse look-up of the client's name. Undefined name: not looked up or not found. */
  hostName: string | undefined
  hostAliases: readonly string[]
  hostLookup: 'not done' | 'found' | 'failed' | 'deferred'
  hostDnssec: boolean
  /** Checking HELO found the name: what names the client shows it from the next HELO on. Observed of Exim 4.96. */
  hostNameHidden?: boolean
  helo: ByteString | undefined
  heloVerified: boolean | undefined
  /** `smtp esmtp esmtps esmtpa esmtpsa ...`, `local`, or what `-oMr` said. */
  protocol: ByteString
  ident: ByteString | undefined
  tls: TlsFacts | undefined
  proxy: ProxyFacts | undefined
  authenticatedId: ByteString | undefined
  authenticatedSender: ByteString | undefined
  /** Name of the authenticator, for `A=` and `$sender_host_authenticated`. */
  authenticatedBy: string | undefined
  /** Public name of its mechanism, where AUTH was seen. */
  authenticatedMechanism?: string | undefined
  authenticationFailed: boolean
  authenticatedFailId: ByteString | undefined
  activeHostname: string
  /** `$connection_id`. */
  readonly connectionId: string
  /** `$acl_c...` without `acl_`: `c_foo`, `c1`. */
  readonly aclC: Map<string, Text>
  smtpCommand: ByteString
  smtpCommandArgument: ByteString
  smtpCommandHistory: readonly string[]
  countAtStart: number
  notQuitReason: string
  readonly startedAt: number
  /** True when the command was `-bh`: nothing is delivered, no state outside is changed. */
  readonly hostChecking: boolean
  /** The calling user of a local submission. */
  caller?: { readonly uid: number; readonly gid: number; readonly login: string; readonly trusted: boolean }
  /** The dialogue at work, for ACLs that make the client wait or turn debugging on. */
  dialogue?: DialogueAtWork | undefined
  /** Room for what later capabilities keep for a connection (`spf`, `rateLimits` ...). */
  readonly extra: Map<string, unknown>
}

/** Flags that ACL controls, options and the command line set on a message under reception. */
export interface MessageControls {
  freeze: boolean
  freezeNoTell: boolean
  queueOnly: boolean
  queueFirstPassRoute: boolean
  fakeReject: Text | undefined
  fakeDefer: Text | undefined
  submission:
    | { domain: ByteString | undefined; name: ByteString | undefined; senderRetain: boolean }
    | undefined
  suppressLocalFixups: boolean
  casefulLocalPart: boolean
  noMboxUnspool: boolean
  disablePipelining: boolean
  enforceSync: boolean
  noMultilineResponses: boolean
  noCalloutFlush: boolean
  noDelayFlush: boolean
  allowAuthUnadvertised: boolean
  dkimDisableVerify: boolean
  dmarcDisableVerify: boolean
  dmarcEnableForensic: boolean
  cutthrough: { defer: 'spool' | 'pass' } | undefined
  queueName: string | undefined
  /** `control = utf8_downconvert`: 1 always, -1 where the next host needs it, 0 never; undefined: not said. */
  utf8Downconvert?: number | undefined
}

/** A message under reception or in delivery. */
/** First and last `message_body_visible` bytes. */
export interface VisibleBody {
  readonly start: ByteString
  readonly end: ByteString
}

export interface MessageFacts {
  /** Empty before it is known. */
  id: string
  /** Undefined before MAIL; empty for `<>`. */
  sender: ByteString | undefined
  /** As MAIL gave it, before rewriting. */
  rawSender: ByteString | undefined
  /** Lines that came, the blank one included: until the message is accepted, `$message_linecount`. */
  receivedLines?: number | undefined
  recipients: readonly Recipient[]
  rcptCount: number
  rcptDeferCount: number
  rcptFailCount: number
  recipientsMax?: number
  /** All headers, deleted ones with type `*`. */
  headers: readonly Header[]
  /** Added by ACLs and not yet merged: `$headers_added`. One header each; `:at_start:` and its kin may stand before it. */
  headersAdded: string[]
  /** Names of headers that ACLs want removed: `remove_header`. */
  headersRemoved?: string[]
  body: VisibleBody
  bodySize: number
  bodyLines: number
  bodyZeros: number
  /** `$message_size`: -1 before it is known; SIZE= during MAIL. */
  size: number
  maxReceivedLineLength: number
  receivedCount: number
  /** Milliseconds since 1970. */
  receivedAt: number
  smtputf8: boolean
  prdrRequested: boolean
  body8bit: boolean
  /** `$acl_m...` without `acl_`. */
  readonly aclM: Map<string, Text>
  readonly controls: MessageControls
  /** The recipient for which `received_for` stands in the Received: header. */
  receivedFor: ByteString | undefined
  /** Delivery time: is this the first attempt; was it thawed by hand. */
  firstDelivery: boolean
  manuallyThawed: boolean
  local: boolean
  /** Whether the client may leave out domains; undefined: it may not. */
  allowUnqualified?: { readonly senders: boolean; readonly recipients: boolean }
  originator: { readonly login: ByteString; readonly uid: number; readonly gid: number }
  /** Room for what later capabilities keep for a message (`spf`, `dkim`, `dmarc`, `spam` ...). */
  readonly extra: Map<string, unknown>
}

/** The address being checked, verified, routed or delivered. */
export interface AddressFacts {
  /** Without affixes. */
  localPart: ByteString
  /** In an ACL, where `localPart` is in lower case: as the client wrote it. */
  casedLocalPart?: ByteString
  /** A recipient as it stands in the envelope, with its quotes, before `percent_hack_domains`. */
  whole?: ByteString
  domain: ByteString
  /** Before any rewriting or redirection. */
  originalLocalPart?: ByteString
  originalDomain?: ByteString
  parentLocalPart?: ByteString
  parentDomain?: ByteString
  prefix?: ByteString
  prefixV?: ByteString
  suffix?: ByteString
  suffixV?: ByteString
  /** Trusted copies, from the list item or lookup that matched. */
  localPartData?: Text
  domainData?: Text
  addressData?: Text
  /** `$home`, `$local_user_uid`, `$local_user_gid` after `check_local_user`. */
  home?: Text
  uid?: number
  gid?: number
  /** `set = r_...` of routers: names without `r_`. */
  routerVariables?: ReadonlyMap<string, Text>
  selfHostname?: ByteString
  addressFile?: ByteString
  addressPipe?: ByteString
}

/** Which router or transport is at work, and with which host. */
export interface DeliveryFacts {
  routerName: string
  transportName: string
  host?: ByteString | undefined
  /** In place of it for a local transport: the hosts that its router was told. */
  hostList?: Text | undefined
  hostAddress?: string | undefined
  hostPort?: number | undefined
  sendingAddress?: string | undefined
  sendingPort?: number | undefined
  tls?: TlsFacts | undefined
  /** `$return_path`. */
  returnPath?: ByteString | undefined
  /** `$pipe_addresses` and `$address_pipe`: all addresses of a batch. */
  addresses?: readonly ByteString[] | undefined
  /** `$recipients` where it is allowed. */
  inode?: number | undefined
}

/** Everything code in the configuration language may see. Made anew cheaply: `{ ...context, address }`. */
export interface Context {
  readonly server: ServerFacts
  readonly settings: MainSettings
  readonly ports: Ports
  readonly connection?: ConnectionFacts | undefined
  readonly message?: MessageFacts | undefined
  readonly address?: AddressFacts | undefined
  readonly delivery?: DeliveryFacts | undefined
  /** `$acl_arg1` ... of the ACL call we are in. */
  readonly aclArguments?: readonly Text[] | undefined
  /** `''`, `R` recipient or `S` sender verification. */
  readonly verifyMode?: '' | 'R' | 'S' | undefined
  /** `$0` to `$9`, set by matches; whoever starts a new scope gives a new array. */
  captures: (Text | undefined)[]
  /**
   * Variables that one piece of code sets and others read by name, without `$`: `dnslist_domain`, `host_data`,
   * `sender_data`, `event_name`, `sender_rate`, `acl_verify_message`, `runrc` ... One map a session or delivery.
   */
  readonly variables: Map<string, Text>
  /** Values of `$item`, `$value`, `$thisaddress` and the like while they are bound. */
  readonly bound?: ReadonlyMap<string, Text> | undefined
  /** The configuration line or command on whose behalf this runs, for messages. */
  readonly purpose?: string | undefined
  /** Set while somebody wants to know why: the step of the explanation that this work belongs to. */
  readonly trace?: Trace | undefined
  /** Items, operators and conditions that must not be used here, with the sentence that says so: filters of users. */
  readonly forbidden?: ReadonlyMap<string, string> | undefined
  /** Set by `-d`; takes one line of debugging text. */
  readonly debug?: ((category: string, line: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** How many lists, and how many ACLs, called each other to get here; their engines count and refuse. */
  readonly listDepth?: number | undefined
  readonly aclDepth?: number | undefined
  /** The call of Perl that asks for this expansion. */
  readonly perl?: object | undefined
  /** Results of named domain and local part lists are kept while this object lives; else for the address at hand. */
  readonly listCache?: object | undefined
}

export type TraceKind =
  | 'acl'
  | 'statement'
  | 'condition'
  | 'expansion'
  | 'variable'
  | 'list'
  | 'lookup'
  | 'dns'
  | 'verify'
  | 'command'
  | 'reply'
  | 'log'
  | 'message'
  | 'address'
  | 'router'
  | 'routing'
  | 'transport'
  | 'host'
  | 'tls'
  | 'sent'
  | 'file'
  | 'user'
  | 'group'
  | 'filter'

/** One step of an explanation, and the steps within it. Who takes part writes; nobody reads here. */
export interface Trace {
  /** Begins a step within the one that is under way. `at`: its place in the configuration, and words that follow `what`. */
  begin(kind: TraceKind, what: ByteString, at?: Noted | NotedPlace): Trace
  /** A step that is over at once. */
  note(kind: TraceKind, what: ByteString, result: ByteString, at?: Noted | NotedPlace): void
  /** What came of it, when it is over. */
  end(result: ByteString): void
  /** The context for work of this step that goes on beside other work. */
  within?(context: Context): Context
}

// ---------------------------------------------------------------------------------------------- results

/** What became of matching a subject against a list. */
export type ListResult =
  | { readonly is: 'match' /** For `$domain_data` and its kin: trusted. */; readonly data: Text | undefined }
  | { readonly is: 'no' }
  | { readonly is: 'defer'; readonly message: string }
  /** The list itself could not be expanded or read; a forced failure counts as no match before it gets here. */
  | { readonly is: 'failure'; readonly message: string }

/** What a host list is asked about. No address: local input, which the empty item matches. */
export interface HostSubject {
  readonly address: string | undefined
  /** The name, when known already; otherwise it is looked up if an item needs it. */
  readonly name?: string | undefined
}

export type ListSubject<K extends ListKind | 'string'> = K extends 'host' ? HostSubject : Text

export interface LookupRequest {
  /** `lsearch`, `redis` ...; partial, affix and defaults split off. */
  readonly type: string
  readonly partial?: { readonly least: number; readonly affix: ByteString } | undefined
  /** `*` or `*@` after the type. */
  readonly star?: '*' | '*@' | undefined
  /** What follows a comma after the type: `ret=full`, `servers=...`. */
  readonly options: ByteString
  /** Of single-key types. */
  readonly file?: Text | undefined
  /** The key, or the query of query-style types. */
  readonly key: Text
  /** Of `${lookup pgsql,params {... $1 ...}{value}}`: values that never become part of the query's text. */
  readonly parameters?: readonly Text[] | undefined
}
export interface DnsAsk {
  readonly dnssec?: boolean
  /** Instead of `dns_retrans`: seconds until a question is asked again. */
  readonly retransSeconds?: number | undefined
  /** Instead of `dns_retry`: how often it is asked. */
  readonly retry?: number | undefined
}

export type LookupResult =
  | {
      readonly is: 'found'
      readonly data: Text
      /** False: the answer holds for this once, as that of a statement that changed something. */
      readonly keep?: false
      /** Of a partial lookup: how many bytes of the key the wild part took; 0 or undefined: none. */
      readonly wildLength?: number
      /** The key found was `*@...` or `*` of a lookup with a default: there is no fixed part. */
      readonly isDefault?: true
    }
  | { readonly is: 'none' }
  | { readonly is: 'defer'; readonly message: string }
  | { readonly is: 'failure'; readonly message: string }

/** Where an ACL runs: the last part of `acl_smtp_rcpt` and so on. */
export type AclPlace =
  | 'connect'
  | 'helo'
  | 'starttls'
  | 'auth'
  | 'mail'
  | 'mailauth'
  | 'rcpt'
  | 'predata'
  | 'dkim'
  | 'mime'
  | 'data'
  | 'prdr'
  | 'quit'
  | 'notquit'
  | 'etrn'
  | 'atrn'
  | 'expn'
  | 'vrfy'
  | 'wellknown'
  | 'notsmtp_start'
  | 'notsmtp'
  | 'notsmtp_mime'
  | 'delivery'
  | 'unknown'

export interface AclResult {
  /** `error` answers 451 like `defer`; its log message is a mistake in the configuration. */
  readonly verdict: 'accept' | 'discard' | 'deny' | 'defer' | 'drop' | 'error'
  /** For the client: may begin with a reply code (`message = 550 5.7.1 ...`), may have several lines. */
  readonly userMessage: ByteString | undefined
  readonly logMessage: ByteString | undefined
  /** The statement that decided, for the JSON log and `explain`. */
  readonly decidedBy?:
    | { readonly acl: string; readonly file: string; readonly line: number; readonly verb?: string }
    | undefined
  /** `log_reject_target`. Undefined: main and reject log. */
  readonly logReject?:
    | { readonly main: boolean; readonly reject: boolean; readonly panic: boolean }
    | undefined
}

export interface VerifyRequest {
  readonly address: ByteString
  readonly kind: 'recipient' | 'sender'
  /** A sender that stands in a header: `verify = header_sender`. */
  readonly ofHeader?: boolean
  /** Options after the slash, split, not expanded further: `callout=10s,defer_ok`. */
  readonly options: readonly ByteString[]
}
/** The last command of a callout that failed, and its answer. */
export interface CalloutTold {
  /** Address of the host that was asked. */
  readonly called: string
  readonly sent: ByteString
  readonly response: ByteString
}
export interface VerifyResult {
  readonly is: 'ok' | 'fail' | 'defer'
  /** Another host was asked, or its answer was remembered. */
  readonly callout?: { readonly told: CalloutTold | undefined } | undefined
  /** For the client: `Unrouteable address`. */
  readonly userMessage?: ByteString | undefined
  readonly logMessage?: ByteString | undefined
  readonly addressData?: Text | undefined
  /** `$recipient_verify_failure` / `$sender_verify_failure`: `qualify route mail recipient postmaster random`. */
  readonly failure?: string | undefined
  readonly localPartData?: Text | undefined
  readonly domainData?: Text | undefined
}

export type DnsType =
  | 'A'
  | 'AAAA'
  | 'MX'
  | 'TXT'
  | 'PTR'
  | 'CNAME'
  | 'NS'
  | 'SOA'
  | 'SRV'
  | 'TLSA'
  | 'SPF'
  | 'CSA'
export type DnsRecord =
  | {
      readonly type: 'A' | 'AAAA' | 'PTR' | 'CNAME' | 'NS'
      readonly name: string
      readonly ttl: number
      readonly value: string
    }
  | {
      readonly type: 'MX'
      readonly name: string
      readonly ttl: number
      readonly preference: number
      readonly exchange: string
    }
  | {
      readonly type: 'TXT' | 'SPF'
      readonly name: string
      readonly ttl: number
      readonly strings: readonly ByteString[]
    }
  | {
      readonly type: 'SRV' | 'CSA'
      readonly name: string
      readonly ttl: number
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | {
      readonly type: 'SOA'
      readonly name: string
      readonly ttl: number
      readonly mname: string
      readonly rname: string
      readonly serial: number
      readonly minimum: number
    }
  | {
      readonly type: 'TLSA'
      readonly name: string
      readonly ttl: number
      readonly usage: number
      readonly selector: number
      readonly matching: number
      readonly data: Uint8Array
    }
export interface DnsAnswer {
  /** `again`: SERVFAIL, REFUSED or no answer in time. `nodata`: the name exists, not with this type. */
  readonly status: 'found' | 'nodata' | 'nxdomain' | 'again'
  /** Of the asked type, at the end of a CNAME chain. */
  readonly records: readonly DnsRecord[]
  /** The AD bit of a trusted resolver. */
  readonly authenticated: boolean
  /** The last name of the CNAME chain. */
  readonly canonicalName: string
}

/** Addresses of a host name, in the order they are to be tried. */
export type HostAddresses =
  | {
      readonly is: 'found'
      readonly addresses: readonly string[]
      readonly canonicalName: string
      readonly dnssec: boolean
      /** The name that was meant, where the one asked for was short for it. */
      readonly fullName?: string
    }
  | { readonly is: 'none' }
  | { readonly is: 'again' }

// ---------------------------------------------------------------------------------------------- ports

/** Lines for the logs. Texts come without time and without message id; the writer cleans control characters. */
export interface Log {
  /** True when this `log_selector` is on; with the port that would be shown: and `log_ports` shows it. */
  selects(selector: string, port?: number): boolean
  /** False or absent: nobody reads `facts`. */
  readonly takesFacts?: boolean
  main(id: string | undefined, text: ByteString, facts?: LogFacts): void
  /** Main and reject log; `headers` follow in the reject log only, as Exim's do. */
  reject(id: string | undefined, text: ByteString, options?: RejectOptions): void
  /** A file for debugging output beside the logs; absent where there are no log files. */
  debugFile?(tag: string): DebugFile | undefined
  /** Panic log, and main log unless said otherwise. */
  panic(id: string | undefined, text: ByteString, facts?: LogFacts): void
}
export interface DebugFile {
  write(text: ByteString): void
  remove(): void
}
/** For the JSON twin: what the line says as fields, and which line of the configuration decided. */
export interface LogFacts {
  readonly event?: string
  readonly decidedBy?: { readonly name: string; readonly file: string; readonly line: number } | undefined
  readonly [field: string]: unknown
}
export interface RejectOptions {
  readonly main?: boolean
  readonly reject?: boolean
  readonly panic?: boolean
  /** Lines after the first, in the reject log only: `Envelope-from: ...`, the headers. */
  readonly detail?: readonly ByteString[]
  readonly facts?: LogFacts
}

/** Small state that is shared by all processes, survives restarts, and may be lost. */
export interface Hints {
  get(database: HintsDatabase, key: string): unknown
  put(database: HintsDatabase, key: string, value: unknown): void
  remove(database: HintsDatabase, key: string): void
  /** Atomically: reads, computes, writes. Returning undefined removes. */
  update<T>(
    database: HintsDatabase,
    key: string,
    change: (old: T | undefined) => T | undefined,
  ): Promise<T | undefined>
  entries(
    database: HintsDatabase,
    range?: { start?: string; end?: string },
  ): Iterable<{ key: string; value: unknown }>
}
export type HintsDatabase = 'retry' | 'ratelimit' | 'seen' | 'callout' | 'wait' | 'misc' | 'tls' | 'dmarc'

export interface EventDetails {
  /** Of a deferral: `$event_defer_errno`. */
  readonly errno?: number | undefined
  /** The actions wait for this: what has happened is on disk before anybody acts on it. Not called when none listens. */
  after?(): Promise<unknown>
}

export interface Ports {
  expand(text: Expandable, context: Context): Awaitable<Outcome>
  /** Expands text that is not part of the configuration file (`${expand:}`, `-be`): compiled, not kept. */
  expandText(text: ByteString, context: Context): Awaitable<Outcome>
  matchList<K extends ListKind | 'string'>(
    kind: K,
    list: Expandable,
    subject: ListSubject<K>,
    context: Context,
    options?: { readonly caseful?: boolean; readonly addressesOnly?: boolean },
  ): Awaitable<ListResult>
  /**
   * Matches against a list that has been expanded already (`match_domain{..}{list}`).
   * `addressesOnly` is for `match_ip`: no host name is looked up.
   */
  matchListText<K extends ListKind | 'string'>(
    kind: K,
    list: Text,
    subject: ListSubject<K>,
    context: Context,
    options?: { readonly caseful?: boolean; readonly addressesOnly?: boolean },
  ): Awaitable<ListResult>
  /** Splits an expanded list at its separators. Source: Exim manual, "Changing list separators". */
  splitList(list: Text): Text[]
  lookup(request: LookupRequest, context: Context): Awaitable<LookupResult>
  /** `acl` is what an `acl_...` option or `acl =` condition expanded to: a name, a file, or inline text. */
  runAcl(
    acl: Text,
    place: AclPlace,
    context: Context,
    argumentsOfCall?: readonly Text[],
  ): Awaitable<AclResult>
  verify(request: VerifyRequest, context: Context): Promise<VerifyResult>
  /**
   * Raises an event for the `event_action` of the main section, or of the transport that `context.delivery` names
   * (the table `mail/events` says which). Gives what it expanded to; empty: go on. Never fails, and ends in time.
   */
  raise(event: EventName, data: Text, context: Context, details?: EventDetails): Awaitable<ByteString>
  dns(name: string, type: DnsType, options?: DnsAsk): Promise<DnsAnswer>
  hostAddresses(
    name: string,
    options?: {
      readonly ipv4Only?: boolean
      readonly dnssec?: boolean
      /** Left out: `byname`, /etc/hosts before the DNS; `bydns`: the DNS alone; `both`: the DNS before /etc/hosts. */
      readonly method?: 'byname' | 'bydns' | 'both'
      /** The name may be short for one in a search domain of the resolver. */
      readonly complete?: { readonly single: boolean; readonly parents: boolean }
    },
  ): Promise<HostAddresses>
  /** Fills in `hostName`, `hostAliases`, `hostLookup` of a connection, once. */
  lookUpHostName(connection: ConnectionFacts, context: Context): Promise<void>
  /** Counts for `/metrics`; absent where nobody reads it. */
  readonly count?: ((name: MetricName, ...labels: string[]) => void) | undefined
  readonly hints: Hints
  readonly log: Log
  /** Users and groups of the system. */
  readonly accounts: Accounts
  readonly files: Files
  /** Milliseconds since 1970. */
  now(): number
  /** An integer from 0 to below `limit`. */
  random(limit: number): number
}

export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly gecos: ByteString
  readonly home: string
  readonly shell: string
}
export interface Accounts {
  byName(name: string): Account | undefined
  byUid(uid: number): Account | undefined
  groupByName(
    name: string,
  ): { readonly name: string; readonly gid: number; readonly members: readonly string[] } | undefined
  groupByGid(
    gid: number,
  ): { readonly name: string; readonly gid: number; readonly members: readonly string[] } | undefined
}

/** Files that the configuration language reads; paths are checked for taint before they get here. */
export interface Files {
  read(path: string, limitBytes: number): FileBytes | FileTrouble
  stat(path: string): FileStat | FileTrouble
  list(path: string): readonly string[] | FileTrouble
  /** What is free for others than root where a path is; -1 inodes: the file system has no such. Undefined: not known. */
  space(path: string): { readonly freeBytes: number; readonly freeInodes: number } | undefined
  /** Looks at files with the rights of a user; undefined: this process cannot have that done. */
  readonly asUser?: UserFiles | undefined
}
export interface FileBytes {
  readonly bytes: ByteString
  /** Of the very file that was read. */
  readonly stat?: FileStat | undefined
}
/** `code` as the system names it (`ENOENT`), `error` its sentence. */
export interface FileTrouble {
  readonly error: string
  readonly code: string
}
/** Files as one user can see them; uid 0 is refused, and so are the users of `never_users`. */
export interface UserFiles {
  read(ids: UserIds, path: string, limitBytes: number): Promise<FileBytes | FileTrouble>
  stat(ids: UserIds, path: string): Promise<FileStat | FileTrouble>
}
export interface UserIds {
  readonly uid: number
  readonly gid: number
}
export interface FileStat {
  readonly mode: number
  readonly inode: number
  readonly device: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly accessedAt: number
  readonly modifiedAt: number
  readonly changedAt: number
  readonly kind: 'file' | 'directory' | 'link' | 'fifo' | 'socket' | 'block' | 'character'
}
