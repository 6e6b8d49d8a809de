/**
 * What the reader of a configuration must know about the rest of the program: the drivers and the names that
 * exist. Upper floors collect it and hand it over as values, so the reader imports none of them.
 */
import type { Report } from '../../base/diagnostic.ts'
import type { Instance } from './configuration.ts'
import type { OptionTable } from './options/table.ts'

/** One router, transport or authenticator driver, as far as reading needs it. */
export interface DriverRow {
  readonly options: OptionTable
  /** False: known by name, its instances are refused until it works. Absent or true: works. */
  readonly works?: boolean
  /** A router that is of no use without `transport`, unless it is `verify_only`. */
  readonly needsTransport?: boolean
  /** What must hold between the settings of one instance; reports what does not. */
  readonly check?: (instance: Instance<object>, report: Report) => void
}

export type DriverTable = Readonly<Record<string, DriverRow>>

/** Users and groups of the machine: undefined when it cannot be told. */
export interface Accounts {
  userExists(name: string): boolean | undefined
  groupExists(name: string): boolean | undefined
}

export interface Registries {
  readonly routers: DriverTable
  readonly transports: DriverTable
  readonly authenticators: DriverTable
  readonly names?: BuiltinNames
  readonly accounts?: Accounts
}

/** Names that work in this program, each of which becomes a built-in macro: `.ifdef _EXP_COND_INLIST`. */
export interface BuiltinNames {
  /** `TLS`, `OCSP`, `LOOKUP_REDIS` ...: what follows `_HAVE_`. */
  readonly have?: Iterable<string>
  readonly expansionItems?: Iterable<string>
  readonly expansionOperators?: Iterable<string>
  readonly expansionConditions?: Iterable<string>
  readonly expansionVariables?: Iterable<string>
  readonly lookups?: Iterable<string>
  readonly logSelectors?: Iterable<string>
  readonly aclConditions?: Iterable<string>
  readonly aclModifiers?: Iterable<string>
  /** Macros with a text of their own: `_DKIM_SIGN_HEADERS`. */
  readonly texts?: Readonly<Record<string, string>>
}
