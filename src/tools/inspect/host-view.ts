/**
 * Files of the host as the run-time user sees them, worked out from owners and modes: the one who asks is often root.
 * A door: it looks at files.
 */
import { readFileSync, realpathSync, statSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import type { HostView } from './check/subject.ts'

export interface Viewer {
  readonly uid: number
  /** All groups. */
  readonly gids: readonly number[]
}

const largestRead = 1024 * 1024

/** @param viewer undefined: only what is there is told, not who may read it */
export function hostView(viewer: Viewer | undefined): HostView {
  return {
    look(path) {
      let stat: Stats
      let real: string
      try {
        real = realpathSync(path)
        stat = statSync(real)
      } catch (error) {
        // What we may not see ourselves is no finding.
        return missing(error) ? undefined : 'other'
      }
      if (viewer !== undefined && !mayReach(real, stat, viewer)) return 'closed'
      return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other'
    },
    read(path) {
      try {
        return statSync(path).size > largestRead ? undefined : readFileSync(path, 'latin1')
      } catch {
        return undefined
      }
    },
  }
}

/** Groups that /etc/group gives to a user beside their own. */
export function groupsOf(user: string): number[] {
  let text = ''
  try {
    text = readFileSync('/etc/group', 'latin1')
  } catch {
    // Then nobody has any.
  }
  return text.split('\n').flatMap((line) => {
    const [, , gid, members = ''] = line.split(':')
    return members.split(',').includes(user) ? [Number(gid)] : []
  })
}

function missing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

function mayReach(path: string, stat: Stats, viewer: Viewer): boolean {
  if (!may(stat, viewer, 4)) return false
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!may(statSync(folder), viewer, 1)) return false
    if (folder === '/') return true
  }
}

/** @param bit 4 to read, 1 to enter */
function may({ mode, uid, gid }: Stats, viewer: Viewer, bit: 1 | 4): boolean {
  if (viewer.uid === 0) return true
  if (uid === viewer.uid) return (mode & (bit << 6)) !== 0
  if (viewer.gids.includes(gid)) return (mode & (bit << 3)) !== 0
  return (mode & bit) !== 0
}
