/**
 * Files that routing looks at on behalf of a user (`.forward` in a closed home): with the rights of that user where
 * this process may have that done, else with its own. Never as root.
 * Source: Exim manual, "The redirect router", "Forward files and address verification".
 */
import type { Awaitable } from '../../base/outcome.ts'
import type { Context, FileBytes, FileStat, FileTrouble } from '../../ports.ts'

export interface PathReader {
  read(path: string, limitBytes: number): Awaitable<FileBytes | FileTrouble>
  stat(path: string): Awaitable<FileStat | FileTrouble>
}

/** Ids undefined: no user is known, or none with a group. */
export function filesOfUser(
  { uid, gid }: { readonly uid: number | undefined; readonly gid: number | undefined },
  { ports }: Context,
): PathReader {
  const { asUser } = ports.files
  if (asUser === undefined || uid === undefined || gid === undefined || uid === 0) return ports.files
  const ids = { uid, gid }
  return {
    read: (path, limitBytes) => asUser.read(ids, path, limitBytes),
    stat: (path) => asUser.stat(ids, path),
  }
}
