/** For an option that is not known where it stands: where its name belongs, or the nearest right one. */
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import type { DriverTable, Registries } from './registries.ts'
import { findOption, nearestOption, type SettingLine } from './settings.ts'

/** The help line of a setting that none of the tables has. */
export function helpForOption(
  setting: SettingLine,
  tables: readonly OptionTable[],
  registries: Registries,
): string {
  const meant = meantName(setting)
  const elsewhere =
    findOption(meant, tables) === undefined
      ? placeOfOption(meant.replace(/^not?_/, ''), registries)
      : undefined
  return elsewhere ?? nearestOption(meant, tables)
}

/** The name of a setting as its writer meant it: `smtp-accept-max`. */
function meantName({ line, name, nameEnd }: SettingLine): string {
  const dashed = /^(?:-[A-Za-z0-9_]+)+/.exec(line.text.slice(nameEnd))?.[0] ?? ''
  return name + dashed.replaceAll('-', '_')
}

/** `it is an option of the redirect router`, or undefined when no table has the name. */
export function placeOfOption(
  name: string,
  registries: Pick<Registries, 'routers' | 'transports' | 'authenticators'>,
): string | undefined {
  const places: readonly [string, OptionTable][] = [
    ['the main section, before the first "begin"', mainOptions],
    ['every router', routerOptions],
    ['every transport', transportOptions],
    ['every authenticator', authenticatorOptions],
    ...drivers('router', registries.routers),
    ...drivers('transport', registries.transports),
    ...drivers('authenticator', registries.authenticators),
  ]
  const found = places.flatMap(([place, table]) => (Object.hasOwn(table, name) ? [place] : []))
  return found.length === 0 ? undefined : `it is an option of ${found.join(', ')}`
}

function drivers(kind: string, table: DriverTable): [string, OptionTable][] {
  return Object.entries(table).map(([name, driver]) => [`the ${name} ${kind}`, driver.options])
}
