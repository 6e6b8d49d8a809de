/** Goes on as another user, for good. */

interface WithInitgroups {
  initgroups(user: string | number, extraGroup: string | number): void
}

/**
 * @param user login name for the supplementary groups; undefined: none but `gid`
 * @param more groups beyond those, to read what belongs to them
 */
export function becomeUser(
  uid: number,
  gid: number,
  user: string | undefined,
  more: readonly number[] = [],
): void {
  if (process.geteuid?.() !== 0) return
  if (user !== undefined && knowsInitgroups(process)) process.initgroups(user, gid)
  else process.setgroups?.([gid])
  if (more.length > 0) process.setgroups?.([...(process.getgroups?.() ?? [gid]), ...more])
  process.setgid?.(gid)
  process.setuid?.(uid)
}

/** Node has it on every POSIX system; its types leave it out. */
function knowsInitgroups(process_: object): process_ is WithInitgroups {
  return 'initgroups' in process_ && typeof process_.initgroups === 'function'
}
