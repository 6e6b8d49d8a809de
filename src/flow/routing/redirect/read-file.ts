/** Reads the file of a redirect router after checking whose it is. Source: Exim manual, "check_owner", "modemask". */
import { type ByteString, textOf, type Text, unquotedTaint } from '../../../base/text.ts'
import type { FileStat, FileTrouble } from '../../../ports.ts'
import { settleIds } from '../assign.ts'
import { filesOfUser, type PathReader } from '../files-of-user.ts'
import type { RedirectSettings } from '../routers/redirect.options.ts'
import type { RouterWork } from '../types.ts'
import { isTrouble } from '../values.ts'

export type FileData =
  | { readonly is: 'data'; readonly bytes: ByteString }
  | { readonly is: 'absent' }
  | { readonly is: 'defer'; readonly message: ByteString }

/** The longest file that is taken. */
export const fileLimitBytes = 4 * 1024 * 1024

/** Files of a redirection are read with the rights of `user`, else of the local user, as far as that can be done. */
export async function redirectReader(
  work: RouterWork,
): Promise<PathReader | { readonly is: 'defer'; readonly message: ByteString }> {
  const ids = await settleIds(work)
  return isTrouble(ids) ? { is: 'defer', message: ids.message } : filesOfUser(ids, work.context)
}

export async function readRedirectFile(
  name: Text,
  settings: RedirectSettings,
  work: RouterWork,
  reader: PathReader,
): Promise<FileData> {
  const path = textOf(name)
  if (!path.startsWith('/')) {
    return { is: 'defer', message: `"${path}" is not an absolute path` }
  }
  if (unquotedTaint(name) !== undefined)
    return { is: 'defer', message: `Tainted name '${path}' for file read not permitted` }
  // Most users have no such file, which mostly can be seen without being them.
  const seen = work.context.ports.files.stat(path)
  if ('error' in seen && seen.code !== 'EACCES') return missing(path, seen, settings, reader)
  if (!('error' in seen)) {
    const wrong = checkFile(path, seen, settings, work)
    if (wrong !== undefined) return { is: 'defer', message: wrong }
  }
  const file = await reader.read(path, fileLimitBytes)
  if ('error' in file) return missing(path, file, settings, reader)
  // Whose it is and what its mode is counts for the file that was read, not for one of that name a moment ago.
  const wrong = file.stat === undefined ? undefined : checkFile(path, file.stat, settings, work)
  return wrong === undefined ? { is: 'data', bytes: file.bytes } : { is: 'defer', message: wrong }
}

/** Absent is fine while the folder is there; a folder that is gone may be a file system that is not mounted. */
async function missing(
  path: string,
  { error, code }: FileTrouble,
  settings: RedirectSettings,
  reader: PathReader,
): Promise<FileData> {
  if (code === 'ENOENT') {
    if (settings.ignore_enotdir) return { is: 'absent' }
    const parent = path.slice(0, path.lastIndexOf('/')) || '/'
    const folder = await reader.stat(parent)
    if (!('error' in folder)) return { is: 'absent' }
    if (folder.code === 'EACCES' && settings.ignore_eacces) return { is: 'absent' }
    return { is: 'defer', message: `failed to stat ${parent}/. (${folder.error})` }
  }
  if (code === 'ENOTDIR' && settings.ignore_enotdir) return { is: 'absent' }
  if (code === 'EACCES' && settings.ignore_eacces) return { is: 'absent' }
  return { is: 'defer', message: `failed to open ${path}: ${error}` }
}

function checkFile(
  path: string,
  stat: FileStat,
  settings: RedirectSettings,
  work: RouterWork,
): string | undefined {
  const bad = `bad mode (0${stat.mode.toString(8)}) for ${path}`
  if (stat.kind !== 'file') return `${path} is not a regular file`
  if ((stat.mode & settings.modemask) !== 0) {
    return `${bad}: 0${(stat.mode & settings.modemask).toString(8)} bit(s) unexpected`
  }
  const localUser = work.router.settings.check_local_user
  const checkOwner = settings.check_owner ?? (localUser || settings.owners !== undefined)
  if (checkOwner && !ownerAllowed(stat.uid, settings.owners, work)) return `bad owner for ${path}`
  const checkGroup =
    settings.check_group ??
    ((localUser && (settings.modemask & 0o20) === 0) || settings.owngroups !== undefined)
  if (checkGroup && !groupAllowed(stat.gid, settings.owngroups, work)) return `bad group for ${path}`
  return undefined
}

function ownerAllowed(uid: number, owners: readonly ByteString[] | undefined, work: RouterWork): boolean {
  if (work.router.settings.check_local_user && uid === work.ugid.uid) return true
  const { accounts } = work.context.ports
  return (owners ?? []).some(
    (name) => (/^\d+$/.test(name) ? Number(name) : accounts.byName(name)?.uid) === uid,
  )
}

function groupAllowed(gid: number, groups: readonly ByteString[] | undefined, work: RouterWork): boolean {
  if (work.router.settings.check_local_user && gid === work.ugid.gid) return true
  const { accounts } = work.context.ports
  return (groups ?? []).some(
    (name) => (/^\d+$/.test(name) ? Number(name) : accounts.groupByName(name)?.gid) === gid,
  )
}
