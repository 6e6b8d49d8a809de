/** The `require_files` precondition. Source: Exim manual, router option "require_files". */
import { isFailure } from '../../base/outcome.ts'
import { textOf } from '../../base/text.ts'
import type { RouterInstance } from '../../language/config/configuration.ts'
import type { Context, FileStat } from '../../ports.ts'
import { filesOfUser } from './files-of-user.ts'

type Stop = { readonly is: 'skip'; readonly why: string } | { readonly is: 'defer'; readonly message: string }
interface Ids {
  readonly uid: number
  readonly gid: number
}

/** Items are split before they are expanded, each by itself. */
export async function requireFiles(router: RouterInstance, context: Context): Promise<Stop | undefined> {
  const list = router.settings.require_files
  if (list === undefined) return undefined
  let as: Ids | undefined
  for (const piece of context.ports.splitList(list.text)) {
    const value = await context.ports.expandText(textOf(piece), context)
    if (isFailure(value)) {
      if (value.kind === 'forced') continue
      return {
        is: 'defer',
        message: `failed to expand "${textOf(piece)}" for require_files: ${value.message}`,
      }
    }
    const text = textOf(value).trim()
    if (text === '') continue
    if (!text.includes('/')) {
      const ids = findIds(text, context)
      if (typeof ids === 'string') return { is: 'defer', message: ids }
      as = ids
      continue
    }
    // Names from outside may be asked for, as with Exim 4.96: nothing is read. The manuals of Mailman 3 and mlmmj do so.
    const stop = await checkFile(text, as, context)
    if (stop !== undefined) return stop
  }
  return undefined
}

/** `user` or `user,group`; a text is what is wrong. */
function findIds(text: string, { ports }: Context): Ids | string {
  const [userName = '', groupName] = text.split(',').map((part) => part.trim())
  const number = /^\d+$/.test(userName) ? Number(userName) : undefined
  const account = number === undefined ? ports.accounts.byName(userName) : ports.accounts.byUid(number)
  const uid = account?.uid ?? number
  if (uid === undefined) return `user "${userName}" for require_files not found`
  if (groupName === undefined) {
    if (number !== undefined) return `group missing after numerical uid ${number} for require_files`
    return { uid, gid: account?.gid ?? -1 }
  }
  const gid = /^\d+$/.test(groupName) ? Number(groupName) : ports.accounts.groupByName(groupName)?.gid
  return gid === undefined ? `group "${groupName}" for require_files not found` : { uid, gid }
}

/** `/path`, `+/path` (permission denied counts as absent), `!/path` (must not exist). */
async function checkFile(item: string, as: Ids | undefined, context: Context): Promise<Stop | undefined> {
  const match = /^(\+?)\s*(!?)\s*(.*)$/s.exec(item)
  const lenient = match?.[1] === '+'
  const negated = match?.[2] === '!'
  const path = match?.[3] ?? item
  if (!path.startsWith('/')) {
    return { is: 'defer', message: `require_files: "${path}" is not absolute` }
  }
  const presence = await (as === undefined ? present(path, context) : readableBy(path, as, context))
  if (typeof presence === 'object') {
    return { is: 'defer', message: `require_files: error for ${path}: ${presence.problem}` }
  }
  if (presence === 'denied' && !lenient) {
    return { is: 'defer', message: `require_files: error for ${path}: Permission denied` }
  }
  const exists = presence === 'yes'
  if (exists === negated)
    return { is: 'skip', why: `require_files: ${path} ${exists ? 'exists' : 'does not exist'}` }
  return undefined
}

type Presence = 'yes' | 'no' | 'denied' | { readonly problem: string }

/** What is closed to us the local user may be able to see. */
async function present(path: string, context: Context): Promise<Presence> {
  const seen = context.ports.files.stat(path)
  const { uid, gid } = context.address ?? {}
  const closed = 'error' in seen && seen.code === 'EACCES'
  const found = closed ? await filesOfUser({ uid, gid }, context).stat(path) : seen
  if (!('error' in found)) return 'yes'
  if (found.code === 'EACCES') return 'denied'
  return found.code === 'ENOENT' ? 'no' : { problem: found.error }
}

/** Exim's rough check: `x` on each folder of the path, `r` on the file itself. */
async function readableBy(path: string, as: Ids, context: Context): Promise<Presence> {
  const whole = context.ports.files.stat(path)
  if ('error' in whole && whole.code !== 'EACCES') return present(path, context)
  const parts = path.split('/').filter((part) => part !== '')
  let at = ''
  for (const [index, part] of parts.entries()) {
    at += `/${part}`
    const found = context.ports.files.stat(at)
    if ('error' in found) {
      const theirs = await filesOfUser(as, context).stat(path)
      if ('error' in theirs) return theirs.code === 'ENOENT' ? 'no' : 'denied'
      return allows(theirs, as, 4) ? 'yes' : 'denied'
    }
    const needed = index === parts.length - 1 ? 4 : 1
    if (!allows(found, as, needed)) return 'denied'
  }
  return 'yes'
}

function allows(file: FileStat, as: Ids, bits: number): boolean {
  if (as.uid === 0) return true
  const shift = file.uid === as.uid ? 6 : file.gid === as.gid ? 3 : 0
  return ((file.mode >> shift) & bits) === bits
}
