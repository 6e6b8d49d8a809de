/**
 * Options that are known but do not work yet: never silence. An option without which the server would be less
 * safe than asked for stops the start; any other gives one warning.
 */
import type { Report, Span } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { Configuration, Instance } from './configuration.ts'
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionRow, OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import type { DriverTable, Registries } from './registries.ts'

export function pendingOptions(configuration: Configuration, registries: Registries, report: Report): void {
  const told = new Set<OptionRow>()
  const judge = (
    settings: object,
    setAt: ReadonlyMap<string, Span>,
    tables: readonly OptionTable[],
    owner: string,
  ): void => {
    const values = new Map<string, unknown>(Object.entries(settings))
    for (const [name, at] of setAt) {
      const row = tables.find((table) => Object.hasOwn(table, name))?.[name]
      if (row === undefined || row.since !== undefined || row.noEffect !== undefined) continue
      if (row.secures && !asksNothing(values.get(name))) {
        report({
          code: 'option-pending-secures',
          severity: 'error',
          fatal: true,
          message: `${owner} "${name}" does not work in this version, and without it the server would be less safe than asked for`,
          at,
          help: 'remove it if you can do without, or wait for the version that has it',
        })
      } else if (!told.has(row)) {
        told.add(row)
        const message = `${owner} "${name}" is read but has no effect yet`
        report({ code: 'option-pending', severity: 'warning', message, at })
      }
    }
  }
  judge(configuration.main, configuration.mainSetAt, [mainOptions], 'main option')
  const kinds: readonly [string, Iterable<Instance<object>>, OptionTable, DriverTable][] = [
    ['router', configuration.routers, routerOptions, registries.routers],
    ['transport', configuration.transports.values(), transportOptions, registries.transports],
    ['authenticator', configuration.authenticators, authenticatorOptions, registries.authenticators],
  ]
  for (const [kind, instances, generic, drivers] of kinds) {
    for (const { driver, settings, setAt, name, at } of instances) {
      if (drivers[driver]?.works === false) {
        const message = `${kind} ${name}: the driver "${driver}" does not work in this version`
        report({ code: 'driver-pending', severity: 'error', fatal: true, message, at })
        continue
      }
      judge(settings, setAt, [generic, drivers[driver]?.options ?? {}], `${driver} ${kind} option`)
    }
  }
}

/** A switch turned off or an empty text: to leave it undone makes nothing less safe. */
function asksNothing(value: unknown): boolean {
  return value === false || value === '' || (value instanceof Expandable && value.text === '')
}
