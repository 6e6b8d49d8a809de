/**
 * Who calls, and what they may. The caller is the real uid; the power is the effective one.
 * Source: Exim manual, "Trusted and admin users".
 */
import type { ByteString } from '../../base/text.ts'
import type { Accounts } from '../../ports.ts'

export interface Caller {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  /** Login name; `uid` in digits when there is no account. */
  readonly login: string
  /** Full name from the account. */
  readonly gecos: ByteString
  readonly home: string
}

export interface CallerRights {
  readonly trusted: boolean
  readonly admin: boolean
}

/** The lists of the configuration that say who is what, expanded and split. */
export interface RightsLists {
  readonly trustedUsers: readonly string[]
  readonly trustedGroups: readonly string[]
  readonly adminGroups: readonly string[]
  readonly eximUid: number
  readonly eximGid: number
}

/** @param accounts absent: only numbers are known */
export function callerOf(accounts: Accounts | undefined): Caller {
  const uid = process.getuid?.() ?? 0
  const gid = process.getgid?.() ?? 0
  const account = accounts?.byUid(uid)
  return {
    uid,
    gid,
    groups: process.getgroups?.() ?? [gid],
    login: account?.name ?? String(uid),
    gecos: account?.gecos ?? '',
    home: account?.home ?? '/',
  }
}

export function rightsOf(caller: Caller, lists: RightsLists, accounts: Accounts): CallerRights {
  const inGroup = (name: string): boolean => {
    const gid = /^\d+$/.test(name) ? Number(name) : accounts.groupByName(name)?.gid
    return gid !== undefined && (caller.gid === gid || caller.groups.includes(gid))
  }
  const isUser = (name: string): boolean =>
    name === caller.login || (/^\d+$/.test(name) && Number(name) === caller.uid)
  const powerful = caller.uid === 0 || caller.uid === lists.eximUid
  return {
    trusted: powerful || lists.trustedUsers.some(isUser) || lists.trustedGroups.some(inGroup),
    admin:
      powerful ||
      (lists.eximGid !== 0 && (caller.gid === lists.eximGid || caller.groups.includes(lists.eximGid))) ||
      lists.adminGroups.some(inGroup),
  }
}
