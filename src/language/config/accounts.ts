/** Users and groups that settings name must exist on this machine. Source: Exim manual, "User and group names". */
import type { Report } from '../../base/diagnostic.ts'
import { Expandable } from '../../base/expandable.ts'
import type { Configuration, Instance } from './configuration.ts'
import { authenticatorOptions } from './options/authenticator.ts'
import { mainOptions } from './options/main.ts'
import { routerOptions } from './options/router.ts'
import type { OptionTable } from './options/table.ts'
import { transportOptions } from './options/transport.ts'
import type { Accounts, Registries } from './registries.ts'
import { error } from './settings.ts'
import { splitList } from './values.ts'

type AccountKind = 'user' | 'group'

/** Options of type string that hold one name. */
const singleNames: Readonly<Record<string, AccountKind>> = {
  command_group: 'group',
  command_user: 'user',
  system_filter_group: 'group',
  system_filter_user: 'user',
}

/** Options that hold a list of names. */
const nameLists: Readonly<Record<string, AccountKind>> = {
  never_users: 'user',
  trusted_users: 'user',
  trusted_groups: 'group',
  admin_groups: 'group',
  owners: 'user',
  owngroups: 'group',
}

export function checkAccounts(configuration: Configuration, registries: Registries, report: Report): void {
  const { accounts } = registries
  if (accounts === undefined) return
  const main = { settings: configuration.main, setAt: configuration.mainSetAt }
  checkSettings(main, [mainOptions], accounts, report)
  const check = (
    instances: Iterable<Instance<object>>,
    generic: OptionTable,
    drivers: Registries['routers'],
  ): void => {
    for (const instance of instances) {
      checkSettings(instance, [generic, drivers[instance.driver]?.options ?? {}], accounts, report)
    }
  }
  check(configuration.routers, routerOptions, registries.routers)
  check(configuration.transports.values(), transportOptions, registries.transports)
  check(configuration.authenticators, authenticatorOptions, registries.authenticators)
}

function checkSettings(
  { settings, setAt }: Pick<Instance<object>, 'settings' | 'setAt'>,
  tables: readonly OptionTable[],
  accounts: Accounts,
  report: Report,
): void {
  const values = new Map<string, unknown>(Object.entries(settings))
  for (const [option, at] of setAt) {
    const value = values.get(option)
    const type = tables.find((table) => Object.hasOwn(table, option))?.[option]?.type
    const single = type === 'user' || type === 'group' ? type : singleNames[option]
    const kind = single ?? nameLists[option]
    if (kind === undefined) continue
    for (const name of namesIn(value, single === undefined)) {
      const exists = kind === 'user' ? accounts.userExists(name) : accounts.groupExists(name)
      if (exists !== false) continue
      const span = value instanceof Expandable ? placeOf(name, value) : at
      error(
        report,
        `${kind}-not-found`,
        `${kind} ${name} was not found`,
        span,
        /[\s,]/.test(name) ? 'names are separated by colons' : `no such ${kind} on this machine`,
      )
    }
  }
}

/** What is expanded when used cannot be judged here; a number needs no account. */
function namesIn(value: unknown, isList: boolean): string[] {
  const written = value instanceof Expandable ? value.text : value
  const text = Array.isArray(written) ? written.join(':') : typeof written === 'string' ? written : ''
  if (text.includes('$')) return []
  const names = isList ? splitList(text).filter((name) => name !== '') : [text]
  return names.filter((name) => !/^-?\d+$/.test(name))
}

function placeOf(name: string, value: Expandable) {
  const start = Math.max(0, value.text.indexOf(name))
  return value.span(start, start + name.length)
}
