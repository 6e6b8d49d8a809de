/** Collects the tables of the drivers and the names that exist, and hands them to the reader of configurations. */
import { createAccounts } from '../base/accounts.ts'
import { oversignHeaders, signHeaders } from '../policy/msgauth/dkim/default-headers.ts'
import type { Report } from '../base/diagnostic.ts'
import type { AuthenticatorInstance, Instance, TransportInstance } from '../language/config/configuration.ts'
import type { BuiltinNames, DriverTable, Registries } from '../language/config/registries.ts'
import { expansionNames } from '../language/expand/index.ts'
import { lookupTypes } from '../language/lookups/parse-type.ts'
import { logSelectors } from '../mail/log-selectors.ts'
import {
  aclConditionNames,
  aclModifierNames,
  authenticatorTable,
  type DriverEntry,
  routerTable,
  transportTable,
} from './driver-tables.ts'
import { haveNames, resumptionWords } from './features.ts'

/** What must hold between the settings of one instance; its driver is loaded to tell. */
export type LateCheck = (report: Report) => Promise<void>

/** @param later takes the checks that the reader asks for, to be run once it is done */
export function collectRegistries(
  later: (check: LateCheck) => void = () => undefined,
  accounts = createAccounts(),
): Registries {
  return {
    routers: withChecks(routerTable, later, checkRouter),
    transports: withChecks(transportTable, later, checkTransport),
    authenticators: withChecks(authenticatorTable, later, checkAuthenticator),
    names: builtinNames(),
    accounts: {
      userExists: (name) => accounts.byName(name) !== undefined,
      groupExists: (name) => accounts.groupByName(name) !== undefined,
    },
  }
}

function withChecks(
  table: Readonly<Record<string, DriverEntry>>,
  later: (check: LateCheck) => void,
  check: (instance: Instance<object>, report: Report) => Promise<void>,
): DriverTable {
  const rows = Object.entries(table).map(([name, row]) => [
    name,
    { ...row, check: (instance: Instance<object>) => later((report) => check(instance, report)) },
  ])
  return Object.fromEntries(rows)
}

async function checkRouter(instance: Instance<object>, report: Report): Promise<void> {
  const { routerDrivers } = await import('../flow/routing/routers/index.ts')
  routerDrivers[instance.driver]?.check?.(instance, report)
}

async function checkTransport(instance: Instance<object>, report: Report): Promise<void> {
  const { transportDrivers } = await import('../flow/delivery/transports/index.ts')
  // The reader hands each driver instances that were read through that driver's own table.
  transportDrivers[instance.driver]?.check(instance as TransportInstance, report)
}

async function checkAuthenticator(instance: Instance<object>, report: Report): Promise<void> {
  const { authenticatorDrivers } = await import('../policy/authenticators/index.ts')
  // As for transports: instances come through the driver's own table.
  authenticatorDrivers[instance.driver]?.check(instance as AuthenticatorInstance, report)
}

function builtinNames(): BuiltinNames {
  return {
    have: haveNames(),
    expansionItems: expansionNames.items,
    expansionOperators: expansionNames.operators,
    expansionConditions: expansionNames.conditions,
    expansionVariables: expansionNames.variables,
    // Packages are looked for when somebody asks: most calls never do.
    get lookups() {
      return workingLookups()
    },
    logSelectors: Object.keys(logSelectors),
    aclConditions: aclConditionNames,
    aclModifiers: aclModifierNames,
    texts: {
      _CRYPTO_HASH_SHA3: 'y',
      _CRYPTO_SIGN_ED25519: 'y',
      _DKIM_OVERSIGN_HEADERS: oversignHeaders,
      _DKIM_SIGN_HEADERS: signHeaders,
      _RESUME_DECODE: resumptionWords,
    },
  }
}

function workingLookups(): string[] {
  return Object.entries(lookupTypes).flatMap(([name, type]) => (type.works === true ? [name] : []))
}

/** Names for `-bV`: what works, as Exim's lines list it. */
export function workingNames(): {
  readonly lookups: readonly string[]
  readonly authenticators: readonly string[]
  readonly routers: readonly string[]
  readonly transports: readonly string[]
} {
  const working = (table: Readonly<Record<string, DriverEntry>>): string[] =>
    Object.entries(table)
      .flatMap(([name, row]) => (row.works === false ? [] : [name]))
      .toSorted()
  return {
    lookups: workingLookups(),
    authenticators: working(authenticatorTable),
    routers: working(routerTable),
    transports: working(transportTable).map((name) =>
      name === 'appendfile' ? 'appendfile/maildir/mailstore' : name,
    ),
  }
}
