/** The parts that routing is made of: an address on its way, a router at work, and what a router answers. */
import type { Report } from '../../base/diagnostic.ts'
import type { ByteString, Text } from '../../base/text.ts'
import type { Instance, RouterInstance, TransportInstance } from '../../language/config/configuration.ts'
import type { OptionTable } from '../../language/config/options/table.ts'
import type { Recipient } from '../../mail/envelope.ts'
import type { AddressFacts, Context } from '../../ports.ts'
import type { GeneratedMessage } from '../generated-message.ts'
import type { FilterReply, FilterScope, RouteHost } from '../routed.ts'

/** Why addresses are routed; preconditions ask. `cutthrough` counts as verifying a recipient. */
export type RoutingPurpose = 'deliver' | 'test' | 'expn' | 'verify-recipient' | 'verify-sender'

/** One address that is still to be routed. */
export interface Candidate {
  /** As it was written, affixes included. */
  readonly address: ByteString
  /** For duplicates and what is done: the domain in lower case. */
  readonly uniqueKey: ByteString
  /** In the case of its writer, without quotes. */
  readonly localPart: ByteString
  /** In lower case. */
  readonly domain: ByteString
  readonly recipient: Recipient
  /** The address it was made from; `unseen` puts a copy of the address itself in between. */
  parent: Candidate | undefined
  /** The router that took it (and made children of it); set when that happens. */
  takenBy: RouterInstance | undefined
  /** Name of the router to begin with; undefined: the first. */
  readonly startAt: string | undefined
  /** Redirections above it. */
  readonly depth: number
  // What routers above have attached.
  addressData: Text | undefined
  routerVariables: ReadonlyMap<string, Text>
  selfHostname: ByteString | undefined
  errorsTo: ByteString | undefined
  headersAdd: readonly Text[]
  headersRemove: readonly Text[]
  /** `$local_part` and `$domain` as the parent's router saw them. */
  readonly parentFacts: { readonly localPart: ByteString; readonly domain: ByteString } | undefined
  readonly originalFacts: { readonly localPart: ByteString; readonly domain: ByteString } | undefined
  /** `hide_child_in_errmsg`: reports name the top address instead. */
  readonly hidden: boolean
  /** From a `one_time` redirection. */
  readonly oneTime: boolean
  /** `noerror` of a filter above: failures are not reported. */
  readonly ignoreErrors: boolean
}

/** A router at work on one address. */
export interface RouterWork {
  readonly router: RouterInstance
  readonly candidate: Candidate
  readonly purpose: RoutingPurpose
  /** The address's facts and the router's name are in it. */
  readonly context: Context
  readonly facts: AddressFacts
  readonly ugid: AccountIds
  readonly services: RoutingServices
}

/** From `check_local_user`. */
export interface AccountIds {
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly home: ByteString | undefined
}

/** What a redirection makes in place of an address. */
export interface SpecialDelivery {
  readonly kind: 'pipe' | 'file' | 'directory' | 'reply'
  /** `|command`, `/path` or `/path/`, `>recipients`. */
  readonly text: ByteString
  /** What a filter says about it. */
  readonly filtered?: {
    readonly reply?: FilterReply
    readonly scope?: FilterScope
    readonly mode?: number
    readonly noError: boolean
    /** Why the answer cannot be sent; it fails. */
    readonly badReply?: ByteString
  }
  /** Part of it came from outside: no transport may use it. */
  readonly tainted: boolean
  /** A `forbid_...` option of the router: the delivery fails. */
  readonly forbidden: boolean
}

export type RedirectedItem =
  | {
      readonly is: 'address'
      readonly localPart: ByteString
      readonly domain: ByteString
      /** Of a filter. */
      readonly errorsTo?: ByteString
      readonly noError?: boolean
    }
  /** `check_ancestor` put the address itself in the place of an ancestor. */
  | { readonly is: 'self' }
  | { readonly is: 'special'; readonly special: SpecialDelivery }

/** What a driver answers. */
export type RouterVerdict =
  | {
      readonly is: 'assign'
      readonly hosts: readonly RouteHost[]
      /** `same_domain_copy_routing`: goes for other addresses of the domain as well. */
      readonly forDomain?: boolean
      /** For `-bt`: hosts that cannot be used stand among them. */
      readonly shown?: readonly (RouteHost & { readonly unusable?: true })[]
      /** Of a routing rule; undefined: the router's own. */
      readonly transport?: TransportInstance
      /** This host is among those of the MX records. */
      readonly secondary?: boolean
    }
  | {
      readonly is: 'redirect'
      readonly items: readonly RedirectedItem[]
      readonly rewrite: boolean
      /** A filter whose deliveries are not significant: the address goes on to the next router as well. */
      readonly goesOn?: true
      /** A filter or a list that set up deliveries and then refused the address itself. */
      readonly refusal?: RouterVerdict & { readonly is: 'fail' | 'defer' }
    }
  /** The domain changes and routing begins again (`self = reroute`, a widened domain). */
  | { readonly is: 'reroute'; readonly domain: ByteString; readonly rewriteHeaders: boolean }
  | { readonly is: 'decline'; readonly message?: ByteString }
  | { readonly is: 'pass'; readonly selfHostname?: ByteString }
  | { readonly is: 'discard'; readonly loggedAs: ByteString | undefined }
  | {
      readonly is: 'fail' | 'defer'
      readonly message: ByteString
      readonly userMessage?: ByteString
      readonly code?: string
      readonly errno?: number
      readonly freeze?: boolean
      /** A report names the address alone: the message tells of the own network. */
      readonly untold?: true
      /** For the panic log: a mistake in the configuration. */
      readonly isConfigurationError?: boolean
    }

/** A kind of router. */
export interface RouterDriver {
  readonly name: string
  readonly options: OptionTable
  readonly doc: string
  readonly since?: string
  readonly manual: string
  /** False: known by name, its instances are refused until it works. */
  readonly works?: boolean
  readonly needsTransport?: boolean
  /** What must hold between the settings of one instance. */
  readonly check?: (instance: Instance<object>, report: Report) => void
  route(work: RouterWork): Promise<RouterVerdict>
}

/** What routing needs beside the ports. */
export interface RoutingServices {
  readonly transports: ReadonlyMap<string, TransportInstance>
  readonly routers: readonly RouterInstance[]
  /** Domains that complete names (`qualify_single`, `search_parents`). */
  searchDomains(): readonly string[]
  /** Whether an address verifies, for `errors_to`. */
  verifies(address: ByteString, context: Context): Promise<boolean>
  /** Appends a line to a file under the ids of a user, for the log of a filter; what went wrong, else undefined. */
  note?(note: UserNote): Promise<string | undefined>
  /** Runs a program of the queryprogram router under the ids of a user. */
  query?(query: UserQuery): Promise<QueryAnswer>
  /** Rewrites an address that a redirection made. */
  rewrite(address: ByteString, context: Context): Promise<ByteString>
  /** Hands a message of our own to reception: the report of `syntax_errors_to`. */
  submit?(message: GeneratedMessage): Promise<unknown>
}

export interface UserNote {
  readonly uid: number
  readonly gid: number
  readonly file: string
  readonly mode: number
  readonly text: ByteString
}

export interface UserQuery {
  readonly uid: number
  readonly gid: number
  readonly argv: readonly ByteString[]
  readonly currentDirectory: string
  /** 0: no limit of its own. */
  readonly timeoutMs: number
}

export type QueryAnswer =
  | { readonly is: 'ended'; readonly output: ByteString }
  | { readonly is: 'failed'; readonly message: ByteString }
