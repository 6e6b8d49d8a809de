/**
 * Before root is given up: folders and log files that the run-time user must be able to write. A door: it makes and
 * gives away files. Only what this program makes, or an empty spool folder of root's, changes its owner.
 */
import {
  chownSync,
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { makeDropFolder } from '../../store/drop.ts'
import { dropFolderOf } from '../drop-folder.ts'
import type { RunTimeUser } from '../run-time-user.ts'

export interface FoldersOfServer {
  readonly spoolDirectory: string
  /** Items of `log_file_path`. */
  readonly logPaths: readonly string[]
  readonly user: RunTimeUser
}

/** The sentence why it cannot be done, else undefined. */
export function prepareFolders({ spoolDirectory, logPaths, user }: FoldersOfServer): string | undefined {
  try {
    makeFolder(spoolDirectory, user, true)
    makeDropFolder(dropFolderOf(spoolDirectory), user)
    for (const path of logPaths) {
      if (!path.startsWith('/')) continue
      makeFolder(dirname(path), user, false)
      // A file with a date in its name is made on its day; the folder must allow that.
      if (path.includes('%s') && !/%[DM]/.test(path)) {
        for (const log of ['main', 'reject', 'panic']) giveLog(path.replace('%s', log), user)
      } else if (!path.includes('%')) giveLog(path, user)
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function makeFolder(path: string, user: RunTimeUser, giveWhenEmpty: boolean): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) {
    // Whoever runs must be able to get there; only the folder itself is closed to others.
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    mkdirSync(path, { mode: 0o750 })
    chownSync(path, user.uid, user.gid)
    return
  }
  if (!giveWhenEmpty || !stat.isDirectory() || stat.uid !== 0) return
  if (readdirSync(path).length === 0) chownSync(path, user.uid, user.gid)
}

/** A log that exists and belongs to root is left alone when it is not a plain file with one name. */
function giveLog(path: string, user: RunTimeUser): void {
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const descriptor = openSync(path, flags, 0o640)
  try {
    const stat = fstatSync(descriptor)
    if (stat.isFile() && stat.nlink === 1 && stat.uid === 0) fchownSync(descriptor, user.uid, user.gid)
  } finally {
    closeSync(descriptor)
  }
}
