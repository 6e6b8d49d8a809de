/** For an option written in the wrong place: where its name belongs. */
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import type { DriverTable, Registries } from './registries.ts'

/** `it is an option of the redirect router`, or undefined when no table has the name. */
export function placeOfOption(name: string, registries: Registries): string | undefined {
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
