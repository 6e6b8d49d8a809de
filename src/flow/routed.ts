/** An address on its way from the routers to a transport: what routing hands to delivery. */
import type { Expandable } from '../base/expandable.ts'
import type { Failure } from '../base/outcome.ts'
import type { ByteString, Text } from '../base/text.ts'
import type { RouterInstance, TransportInstance } from '../language/config/configuration.ts'
import type { Header, Recipient } from '../mail/envelope.ts'
import type { AddressFacts } from '../ports.ts'

/** A host to try, in order; `addresses` are resolved when `byName` or MX processing gave them. */
export interface RouteHost {
  readonly name: string
  /** Undefined: not found yet; the transport resolves it when it comes to it. */
  readonly address: string | undefined
  /** Overrides the transport's port. */
  readonly port: number | undefined
  /** MX preference; hosts of one value are tried in random order, as they stand here. */
  readonly mx: number | undefined
  readonly dnssec: boolean
  /** Set when hosts_randomize groups were separated by `+`. */
  readonly group?: number
  /** For a local transport: all hosts, as the router was told them. */
  readonly list?: Text
}

/** Answers made by filters; the names are those of the options of the autoreply transport. */
export interface FilterReply {
  readonly to?: ByteString
  readonly cc?: ByteString
  readonly bcc?: ByteString
  readonly from?: ByteString
  readonly reply_to?: ByteString
  readonly subject?: ByteString
  readonly headers?: ByteString
  readonly text?: ByteString
  readonly file?: ByteString
  readonly log?: ByteString
  readonly once?: ByteString
  readonly once_repeat?: ByteString
  readonly fileExpand?: boolean
  readonly returnMessage?: boolean
  /** In place of `auto-replied`. */
  readonly autoSubmitted?: ByteString
}

/** Values of `$1`, `$n1`, `$thisaddress` at the time a filter set up a pipe: its command is expanded later. */
export interface FilterScope {
  readonly captures: readonly (Text | undefined)[]
  readonly bound: ReadonlyMap<string, Text>
  /** What its router forbids in filters. */
  readonly forbidden: ReadonlyMap<string, string> | undefined
}

/** One address that a router has dealt with. */
export interface RoutedAddress {
  /** Complete, as it is logged and as RCPT will say it (affixes included). */
  readonly address: ByteString
  /** For duplicates and for the done list: the domain in lower case; `child:parent` forms for pipes and files. */
  readonly uniqueKey: ByteString
  /** What is expanded as `$local_part`, `$domain` and so on. */
  readonly facts: AddressFacts
  /** The recipient of the message from which it came. */
  readonly recipient: Recipient
  /** Recipients that came to the same address later, for `envelope_to_add`. */
  readonly alsoFor?: readonly ByteString[]
  /** From the immediate parent up to the recipient. */
  readonly ancestors: readonly ByteString[]
  /** Set for one that a redirection made: `>pipe`, file, directory or autoreply in place of an address. */
  readonly special?: 'pipe' | 'file' | 'directory' | 'reply'
  /** What an autoreply made by a filter says. */
  readonly reply?: FilterReply
  /** Of a pipe that a filter set up: its arguments are expanded, with these values. */
  readonly scope?: FilterScope
  /** Of a file that a filter set up with a mode of its own. */
  readonly fileMode?: number
  /** `noerror` of a filter: failures are not reported. */
  readonly ignoreErrors?: true
  readonly router: RouterInstance
  readonly transport: TransportInstance
  readonly hosts: readonly RouteHost[]
  readonly fallbackHosts: readonly RouteHost[]
  /** This host is a less preferred one of its MX records: it waits for the others and falls back on none. */
  readonly secondary?: true
  /** `errors_to` and one_time: the envelope sender to use; undefined: the message's own. */
  readonly errorsTo: ByteString | undefined
  /** Already expanded; each entry is one or more complete header lines. */
  readonly headersAdd: readonly Text[]
  /** Already expanded; colon-separated header names. */
  readonly headersRemove: readonly Text[]
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly initgroups: boolean
  /** A failure is one of the transport: it is told when that runs, unless it has a directory of its own. */
  readonly homeDirectory: Text | Failure | undefined
  /** Of the router alone, as it is routed: which deliveries go together. */
  readonly currentDirectory: Text | Failure | undefined
  /** For transports that expand further router data. */
  readonly hostsOverride?: Expandable
  readonly disableLogging: boolean
  /** `hide_child_in_errmsg`: reports speak of "an address generated from" the recipient instead. */
  readonly hiddenInReports?: true
  readonly logAsLocal: boolean
  readonly retryUseLocalPart: boolean
  readonly oneTime?: OneTime
}

/** Of an address that a `one_time` router made: it takes the place of its recipient when it has to wait; where its bounces go then. */
export interface OneTime {
  readonly errorsTo: ByteString | undefined
}

/** An address that no transport gets. */
export interface UnroutedAddress {
  readonly address: ByteString
  /** As log lines name it: without the affixes that the router took off. */
  readonly shown?: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
  readonly routerName: string | undefined
  readonly is: 'failed' | 'deferred'
  /** For the log line and the bounce: `Unrouteable address`. */
  readonly message: ByteString
  /** For the client of a verification; may begin with an SMTP code. */
  readonly userMessage?: ByteString
  /** `:fail:` with forbid_smtp_code off: an own code. */
  readonly code?: string
  readonly freeze?: boolean
  /** `hide_child_in_errmsg`: reports speak of "an address generated from" the recipient instead. */
  readonly hiddenInReports?: true
  /** Reports name the address without the message. */
  readonly untold?: true
  /** A mistake in the configuration: told in the panic log, too. */
  readonly panic?: true
  /** `noerror` of a filter: failures are not reported. */
  readonly ignoreErrors?: true
  /** Exim's error number for the log line, `defer (-30)`; left out: -1. */
  readonly errno?: number
  /** A pipe or file that its router forbids is logged with the transport it would have had. */
  readonly transportName?: string
  /** A pipe, a file or an answer in place of an address. */
  readonly special?: true
  /** Deferred because of a retry time not reached; logged only with `retry_defer`. */
  readonly retryDefer?: boolean
  /** The retry time is of the whole address, not of its domain. */
  readonly retryUseLocalPart?: boolean
  /** Errors go here instead of to the sender. */
  readonly errorsTo?: ByteString
  readonly oneTime?: OneTime
}

/** An address that is done without delivery: `:blackhole:`, a duplicate, an empty redirection. */
export interface DiscardedAddress {
  readonly address: ByteString
  readonly recipient: Recipient
  readonly ancestors: readonly ByteString[]
  readonly routerName: string
  /** `:blackhole:`, logged as `=> :blackhole: <address> R=name`; undefined: no line. */
  readonly loggedAs: ByteString | undefined
  /** The same address, that goes to a transport: what becomes of it becomes of this one. */
  readonly duplicateOf?: RoutedAddress
}

/** Deliveries that the system filter set up; routing knows what they are. */
export interface GeneratedAddresses {
  readonly count: number
}

/** What the system filter made of a message. */
export type SystemFiltered =
  | { readonly is: 'none' }
  /** It could not be read, or there is a mistake in it: the message waits. */
  | { readonly is: 'error'; readonly message: ByteString }
  | (SystemFilterMarks & { readonly is: 'done'; readonly significant: boolean })
  | (SystemFilterMarks & { readonly is: 'defer' | 'fail' | 'freeze'; readonly text: ByteString })

interface SystemFilterMarks {
  readonly generated: GeneratedAddresses
  /** `$sn0` to `$sn9` for the filters of users. */
  readonly counters: readonly number[]
  /** Undefined: as before. */
  readonly headers: readonly Header[] | undefined
}

/** `rewrite_headers`, `self = reroute: rewrite:`: a domain in headers gives way to another. */
export interface DomainChange {
  readonly from: ByteString
  readonly to: ByteString
}

export interface RoutingResult {
  readonly domainChanges?: readonly DomainChange[]
  readonly routed: readonly RoutedAddress[]
  readonly unrouted: readonly UnroutedAddress[]
  readonly discarded: readonly DiscardedAddress[]
}

/** Numbers in the log of addresses that no router was asked about: `hold_domains`, `queue_domains`. */
export const waitingNumbers = { held: -23, queueDomain: -56 } as const
