/** Under which user a local delivery runs, and where. Source: Exim manual, "Environment for running local transports". */
import type { Expandable } from '../../base/expandable.ts'
import { Failure } from '../../base/outcome.ts'
import { type Text, textOf } from '../../base/text.ts'
import type { TransportSettings } from '../../language/config/options/transport.ts'
import type { Context } from '../../ports.ts'
import { withHome } from '../home.ts'
import type { RoutedAddress } from '../routed.ts'
import { expanded, expandedBytes } from './expanding.ts'
import { errorNumbers } from './results.ts'

export interface LocalIdentity {
  readonly uid: number
  readonly gid: number
  readonly initgroups: boolean
  /** Tainted where something from outside is part of it: what is made of `$home` is, too. */
  readonly home: Text | undefined
  readonly currentDirectory: string
}

export async function localIdentity(
  settings: TransportSettings,
  transportName: string,
  routed: RoutedAddress,
  context: Context,
): Promise<LocalIdentity | { readonly failure: string; readonly errno: number; readonly told?: true }> {
  const { accounts } = context.ports
  let uid = routed.uid
  let gid = routed.gid
  let initgroups = routed.initgroups
  let ownGid: number | undefined
  const group = await named(settings.group, context)
  if (typeof group === 'object')
    return told(
      `Failed to expand group string "${settings.group?.text ?? ''}" for the ${transportName} transport: ${group.failure}`,
      errorNumbers.badGroup,
      context,
    )
  if (group !== undefined) {
    const found = /^\d+$/.test(group) ? { gid: Number(group) } : accounts.groupByName(group)
    if (found === undefined)
      return told(
        `Failed to find group "${group}" from expanded string "${settings.group?.text ?? ''}" for the ${transportName} transport`,
        errorNumbers.badGroup,
        context,
      )
    ownGid = found.gid
  }
  const user = await named(settings.user, context)
  if (typeof user === 'object')
    return told(
      `Failed to expand user string "${settings.user?.text ?? ''}" for the ${transportName} transport: ${user.failure}`,
      errorNumbers.neverUser,
      context,
    )
  if (user !== undefined) {
    const account = /^\d+$/.test(user) ? accounts.byUid(Number(user)) : accounts.byName(user)
    if (account === undefined && !/^\d+$/.test(user)) {
      return told(
        `Failed to find user "${user}" from expanded string "${settings.user?.text ?? ''}" for the ${transportName} transport`,
        errorNumbers.neverUser,
        context,
      )
    }
    uid = account?.uid ?? Number(user)
    gid = account?.gid ?? gid
    initgroups = settings.initgroups
  }
  gid = ownGid ?? gid
  // There is no $home while that is expanded; the current directory may name it.
  const home =
    settings.home_directory === undefined
      ? routed.homeDirectory
      : await expanded(settings.home_directory, withHome(context, undefined))
  const byRouter = routed.router.settings
  if (home instanceof Failure) {
    return unexpanded(
      'home',
      settings.home_directory ?? byRouter.transport_home_directory,
      home,
      transportName,
    )
  }
  const currentOption = settings.current_directory ?? byRouter.transport_current_directory
  const current = await expanded(currentOption, withHome(context, home))
  if (current instanceof Failure) return unexpanded('current', currentOption, current, transportName)
  const homeText = home === undefined ? undefined : textOf(home)
  const currentText = current === undefined ? undefined : textOf(current)
  // What router_home_directory gave was not meant for a delivery: observed of Exim 4.96, it only fails to be there.
  const ownHome = settings.home_directory !== undefined || byRouter.transport_home_directory !== undefined
  const wrong = (ownHome ? notAbsolute('home', homeText) : undefined) ?? notAbsolute('current', currentText)
  if (wrong !== undefined)
    return { failure: `${wrong} for ${transportName} transport`, errno: errorNumbers.notAbsolute }
  return {
    uid: uid ?? context.server.eximUid,
    gid: gid ?? context.server.eximGid,
    initgroups,
    home,
    currentDirectory: currentText ?? homeText ?? '/',
  }
}

/** To the panic log, too. */
function told(
  failure: string,
  errno: number,
  context: Context,
): { readonly failure: string; readonly errno: number; readonly told: true } {
  context.ports.log.panic(context.message?.id, failure)
  return { failure, errno, told: true }
}

async function named(
  option: Expandable | undefined,
  context: Context,
): Promise<string | undefined | { readonly failure: string }> {
  const value = await expandedBytes(option, context)
  return value instanceof Failure ? { failure: value.message } : value
}

function unexpanded(
  what: 'home' | 'current',
  option: Expandable | undefined,
  { message }: Failure,
  transportName: string,
): { readonly failure: string; readonly errno: number } {
  const text = `${what} directory "${option?.text ?? ''}" failed to expand for ${transportName} transport: ${message}`
  return { failure: text, errno: errorNumbers.expansionFailed }
}

function notAbsolute(what: string, path: string | undefined): string | undefined {
  if (path === undefined || path.startsWith('/')) return undefined
  return `${what} directory path "${path}" is not absolute`
}
