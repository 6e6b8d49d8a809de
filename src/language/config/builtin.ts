/** The macros of the program itself, for `.ifdef`: what exists. Source: Exim manual, "Builtin macros". */
import type { ByteString } from '../../base/text.ts'
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import type { DriverTable, Registries } from './registries.ts'

/** How their names begin: most configurations name none of them, so that they need not be made. */
export const builtinBeginning =
  /^_(?:HAVE|LKUP|EXP_(?:ITEM|OP|COND|VAR)|LOG|ACL_(?:COND|MOD)|OPT|DRIVER|CRYPTO_(?:HASH|SIGN)|DKIM|RESUME)_/

export function builtinMacros(registries: Registries): ReadonlyMap<string, ByteString> {
  const macros = new Map<string, ByteString>()
  const add = (prefix: string, names: Iterable<string> = []): void => {
    for (const name of names) macros.set(`_${prefix}_${name.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`, 'y')
  }
  const addOptions = (prefix: string, table: OptionTable): void => {
    for (const [name, row] of Object.entries(table))
      add(`OPT_${prefix}`, [name, ...Object.keys(row.aliases ?? {})])
  }
  const addDrivers = (kind: string, table: DriverTable): void => {
    for (const [name, driver] of Object.entries(table)) {
      if (driver.works === false) continue
      add(`DRIVER_${kind}`, [name])
      addOptions(`${kind}_${name.toUpperCase()}`, driver.options)
    }
  }
  const names = registries.names ?? {}
  add('HAVE', names.have)
  add('HAVE_LOOKUP', names.lookups)
  add('LKUP', names.lookups)
  add('EXP_ITEM', names.expansionItems)
  add('EXP_OP', names.expansionOperators)
  add('EXP_COND', names.expansionConditions)
  add('EXP_VAR', names.expansionVariables)
  add('LOG', names.logSelectors)
  add('LOG', ['all'])
  add('ACL_COND', names.aclConditions)
  add('ACL_MOD', names.aclModifiers)
  addOptions('MAIN', mainOptions)
  addOptions('ROUTERS', routerOptions)
  addOptions('TRANSPORTS', transportOptions)
  addOptions('AUTHENTICATORS', authenticatorOptions)
  addDrivers('ROUTER', registries.routers)
  addDrivers('TRANSPORT', registries.transports)
  addDrivers('AUTHENTICATOR', registries.authenticators)
  for (const [name, text] of Object.entries(names.texts ?? {})) macros.set(name, text)
  return macros
}
