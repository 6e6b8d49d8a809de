/** Collects the tables of the drivers and the names that exist, and hands them to the reader of configurations. */
import { transportDrivers } from '../flow/delivery/transports/index.ts'
import { autoreplyOptions } from '../flow/delivery/transports/autoreply.options.ts'
import { lmtpOptions } from '../flow/delivery/transports/lmtp.options.ts'
import { pipeOptions } from '../flow/delivery/transports/pipe.options.ts'
import { queuefileOptions } from '../flow/delivery/transports/queuefile.options.ts'
import { routerDrivers } from '../flow/routing/routers/index.ts'
import type { TransportInstance } from '../language/config/configuration.ts'
import type { BuiltinNames, DriverRow, DriverTable, Registries } from '../language/config/registries.ts'
import { expansionNames } from '../language/expand/index.ts'
import { lookupTypes } from '../language/lookups/parse-type.ts'
import { logSelectors } from '../mail/log-selectors.ts'
import { rows as aclRows } from '../policy/acl/parse.ts'
import { cramMd5Options } from '../policy/authenticators/cram_md5.options.ts'
import { cyrusSaslOptions } from '../policy/authenticators/cyrus_sasl.options.ts'
import { dovecotOptions } from '../policy/authenticators/dovecot.options.ts'
import { externalOptions } from '../policy/authenticators/external.options.ts'
import { gsaslOptions } from '../policy/authenticators/gsasl.options.ts'
import { heimdalGssapiOptions } from '../policy/authenticators/heimdal_gssapi.options.ts'
import { plaintextOptions } from '../policy/authenticators/plaintext.options.ts'
import { spaOptions } from '../policy/authenticators/spa.options.ts'
import { tlsOptions } from '../policy/authenticators/tls.options.ts'
import { haveNames } from './features.ts'

/** Transports that Exim has and that cannot run yet: their options are read, their instances told of. */
const pendingTransports: DriverTable = {
  autoreply: { options: autoreplyOptions, works: false },
  lmtp: { options: lmtpOptions, works: false },
  pipe: { options: pipeOptions, works: false },
  queuefile: { options: queuefileOptions, works: false },
}

const authenticators: DriverTable = {
  cram_md5: { options: cramMd5Options, works: false },
  cyrus_sasl: { options: cyrusSaslOptions, works: false },
  dovecot: { options: dovecotOptions, works: false },
  external: { options: externalOptions, works: false },
  gsasl: { options: gsaslOptions, works: false },
  heimdal_gssapi: { options: heimdalGssapiOptions, works: false },
  plaintext: { options: plaintextOptions, works: false },
  spa: { options: spaOptions, works: false },
  tls: { options: tlsOptions, works: false },
}

export function collectRegistries(): Registries {
  return { routers: routerDrivers, transports: transports(), authenticators, names: builtinNames() }
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
    authenticators: working(authenticators),
    routers: working(routerDrivers),
    transports: working(transports()).map((name) => (name === 'appendfile' ? 'appendfile/maildir' : name)),
  }
}
