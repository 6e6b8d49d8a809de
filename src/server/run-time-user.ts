/**
 * The user under which everything that reads the network runs. Source: Exim manual, "exim_user"; "Security
 * considerations".
 */
import type { Accounts } from '../ports.ts'
import { buildValues } from './build-table.ts'

export interface RunTimeUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

export type RunTimeUserResult =
  | { readonly is: 'user'; readonly user: RunTimeUser }
  | { readonly is: 'wrong'; readonly message: string }

/**
 * @param user `exim_user`, expanded; a name or a number
 * @param group `exim_group`, expanded
 * @param spoolOwner whose the spool folder is, when there is one
 */
export function runTimeUser(
  user: string | undefined,
  group: string | undefined,
  accounts: Accounts,
  spoolOwner?: number,
): RunTimeUserResult {
  const own = process.geteuid?.() ?? 0
  if (user === undefined && own !== 0) {
    // Beside a daemon of another user its spool says who that is; else everything runs as whoever calls.
    const owner =
      spoolOwner === undefined || spoolOwner === own || spoolOwner === 0
        ? undefined
        : accounts.byUid(spoolOwner)
    if (owner !== undefined) return { is: 'user', user: { name: owner.name, uid: owner.uid, gid: owner.gid } }
    const name = accounts.byUid(own)?.name ?? String(own)
    return { is: 'user', user: { name, uid: own, gid: process.getegid?.() ?? 0 } }
  }
  const candidates = user === undefined ? buildValues.runTimeUsers : [user]
  for (const name of candidates) {
    const numeric = /^\d+$/.test(name)
    const account = numeric ? accounts.byUid(Number(name)) : accounts.byName(name)
    if (account === undefined && !numeric) continue
    const gid = gidOf(group, accounts) ?? account?.gid
    if (gid === undefined) return { is: 'wrong', message: `no group set for uid ${name}` }
    return { is: 'user', user: { name: account?.name ?? name, uid: account?.uid ?? Number(name), gid } }
  }
  return {
    is: 'wrong',
    message:
      user === undefined
        ? `none of the users ${candidates.join(', ')} exists; create one or set exim_user`
        : `user "${user}" not found`,
  }
}

function gidOf(group: string | undefined, accounts: Accounts): number | undefined {
  if (group === undefined) return undefined
  return /^\d+$/.test(group) ? Number(group) : accounts.groupByName(group)?.gid
}
