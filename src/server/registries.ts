/** Collects the tables of the drivers and the names that exist, and hands them to the reader of configurations. */
import { createAccounts } from '../base/accounts.ts'
import { transportDrivers } from '../flow/delivery/transports/index.ts'
import { autoreplyOptions } from '../flow/delivery/transports/autoreply.options.ts'
import { lmtpOptions } from '../flow/delivery/transports/lmtp.options.ts'
import { pipeOptions } from '../flow/delivery/transports/pipe.options.ts'
import { queuefileOptions } from '../flow/delivery/transports/queuefile.options.ts'
import { routerDrivers } from '../flow/routing/routers/index.ts'
import type { AuthenticatorInstance, TransportInstance } from '../language/config/configuration.ts'
import type { BuiltinNames, DriverRow, DriverTable, Registries } from '../language/config/registries.ts'
import { expansionNames } from '../language/expand/index.ts'
import { lookupTypes } from '../language/lookups/parse-type.ts'
import { logSelectors } from '../mail/log-selectors.ts'
import { rows as aclRows } from '../policy/acl/parse.ts'
import { authenticatorDrivers } from '../policy/authenticators/index.ts'
import { cyrusSaslOptions } from '../policy/authenticators/cyrus_sasl.options.ts'
import { heimdalGssapiOptions } from '../policy/authenticators/heimdal_gssapi.options.ts'
import { spaOptions } from '../policy/authenticators/spa.options.ts'
import { haveNames } from './features.ts'

/** Transports that Exim has and that cannot run yet: their options are read, their instances told of. */
const pendingTransports: DriverTable = {
  autoreply: { options: autoreplyOptions, works: false },
  lmtp: { options: lmtpOptions, works: false },
  pipe: { options: pipeOptions, works: false },
  queuefile: { options: queuefileOptions, works: false },
}

/** Authenticators that Exim has and that do not exist here. */
const absentAuthenticators: DriverTable = {
  cyrus_sasl: { options: cyrusSaslOptions, works: false },
  heimdal_gssapi: { options: heimdalGssapiOptions, works: false },
  spa: { options: spaOptions, works: false },
}

export function collectRegistries(accounts = createAccounts()): Registries {
  return {
    routers: routerDrivers,
    transports: transports(),
    authenticators: authenticators(),
    names: builtinNames(),
    accounts: {
      userExists: (name) => accounts.byName(name) !== undefined,
      groupExists: (name) => accounts.groupByName(name) !== undefined,
    },
  }
}

function transports(): DriverTable {
  const working = Object.entries(transportDrivers).map(([name, driver]): [string, DriverRow] => [
    name,
    // The reader hands each driver instances that were read through that driver's own table.
    {
      options: driver.options,
      check: (instance, report) => driver.check(instance as TransportInstance, report),
    },
  ])
  return { ...pendingTransports, ...Object.fromEntries(working) }
}

function authenticators(): DriverTable {
  const working = Object.entries(authenticatorDrivers).map(([name, driver]): [string, DriverRow] => [
    name,
    // As for transports: instances come through the driver's own table.
    {
      options: driver.options,
      check: (instance, report) => driver.check(instance as AuthenticatorInstance, report),
    },
  ])
  return { ...absentAuthenticators, ...Object.fromEntries(working) }
}

function builtinNames(): BuiltinNames {
  return {
    have: haveNames(),
    expansionItems: expansionNames.items,
    expansionOperators: expansionNames.operators,
    expansionConditions: expansionNames.conditions,
    expansionVariables: expansionNames.variables,
    lookups: workingLookups(),
    logSelectors: Object.keys(logSelectors),
    aclConditions: aclNames('condition'),
    aclModifiers: aclNames('modifier'),
  }
}

function aclNames(kind: 'condition' | 'modifier'): string[] {
  return [...aclRows.values()].flatMap((row) =>
    row.kind === kind && row.since !== undefined ? [row.name] : [],
  )
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
  const working = (table: DriverTable): string[] =>
    Object.entries(table)
      .flatMap(([name, row]) => (row.works === false ? [] : [name]))
      .toSorted()
  return {
    lookups: workingLookups(),
    authenticators: working(authenticators()),
    routers: working(routerDrivers),
    transports: working(transports()).map((name) => (name === 'appendfile' ? 'appendfile/maildir' : name)),
  }
}
