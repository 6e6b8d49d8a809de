/** A configuration that has been read: every setting typed and with its place. Values only; reading is elsewhere. */
import type { Expandable } from '../../base/expandable.ts'
import type { Diagnostic, Span } from '../../base/diagnostic.ts'
import type { AuthenticatorSettings } from './options/authenticator.ts'
import type { MainSettings } from './options/main.ts'
import type { RouterSettings } from './options/router.ts'
import type { TransportSettings } from './options/transport.ts'

export type ListKind = 'domain' | 'host' | 'address' | 'localpart'

/** `domainlist name = ...` and its kin. */
export interface NamedList {
  readonly kind: ListKind
  readonly name: string
  readonly value: Expandable
  /** `domainlist_cache` and the like. */
  readonly cached: boolean
  readonly hide: boolean
  readonly at: Span
}

/** One logical line of the ACL section, macros replaced; the ACL engine parses it. */
export interface SectionLine {
  readonly text: Expandable
}

/** A named ACL: its lines as they stand. `policy/acl` turns them into statements. */
export interface AclSource {
  readonly name: string
  readonly at: Span
  readonly lines: readonly SectionLine[]
}

/** One router, transport or authenticator. `S` is the settings type of its driver together with the generic one. */
export interface Instance<S> {
  readonly name: string
  readonly driver: string
  readonly at: Span
  /** Generic and private settings of the driver in one record, defaults filled in. */
  readonly settings: S
  /** Names of the options the file sets, with their places, for messages and `-bP`. */
  readonly setAt: ReadonlyMap<string, Span>
}

export type RouterInstance<S = object> = Instance<RouterSettings & S>
export type TransportInstance<S = object> = Instance<TransportSettings & S>
export type AuthenticatorInstance<S = object> = Instance<AuthenticatorSettings & S>

/** `F,2h,15m`; times in seconds. */
export interface RetryInterval {
  readonly rule: 'F' | 'G' | 'H'
  readonly cutoff: number
  readonly interval: number
  /** Of G and H. */
  readonly factor?: number
}

export interface RetryRule {
  readonly at: Span
  /** Domain, `*.domain`, address, regular expression, lookup: a one-item address list. */
  readonly pattern: Expandable
  /** `*` when none is given. */
  readonly error: { readonly name: string; readonly extra: string | undefined }
  readonly senders: Expandable | undefined
  readonly intervals: readonly RetryInterval[]
}

export interface RewriteRule {
  readonly at: Span
  readonly pattern: Expandable
  readonly replacement: Expandable
  readonly flags: string
}

export interface MacroDefinition {
  readonly name: string
  readonly text: string
  /** True when it came with `-D`. */
  readonly commandLine: boolean
}

export interface Configuration {
  /** The file that was read first, as given, and all that were read with it. */
  readonly file: string
  readonly files: readonly string[]
  /** False when an `.endif` is missing and lines were passed over: what is named and not there may stand in them. */
  readonly whole: boolean
  readonly main: MainSettings
  /** Main options the file sets, with their places. */
  readonly mainSetAt: ReadonlyMap<string, Span>
  /**
   * Options whose values `-bP` hides from those who are no admin: `NAME` of the main section, `router.NAME` of a
   * generic option, `router.redirect.NAME` of a driver's own.
   */
  readonly hidden: ReadonlySet<string>
  readonly namedLists: Readonly<Record<ListKind, ReadonlyMap<string, NamedList>>>
  readonly acls: ReadonlyMap<string, AclSource>
  readonly routers: readonly RouterInstance[]
  readonly transports: ReadonlyMap<string, TransportInstance>
  readonly authenticators: readonly AuthenticatorInstance[]
  readonly retry: readonly RetryRule[]
  readonly rewrite: readonly RewriteRule[]
  /** Those of the program itself are not among them. */
  readonly macros: readonly MacroDefinition[]
  /** The logical lines for `-bP config`: comments and blanks gone, macros replaced; `# N "FILE"` where another file begins. */
  readonly normalizedLines: readonly { readonly text: string; readonly hide: boolean }[]
  readonly diagnostics: readonly Diagnostic[]
}
