/** Files that the configuration language reads (`${readfile`, `exists`, `:include:`). A door: it reads files. */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { fromBytes } from '../base/text.ts'
import type { Files, FileStat, FileTrouble } from '../ports.ts'

export const systemFiles: Files = {
  read(path, limitBytes) {
    // Many a file that is asked for (a user's .forward) is not there, and an error thrown costs several of these.
    if (systemFiles.stat(path) === missing) return missing
    const found = attempt(() => {
      // Not waiting for the other end of a pipe: only regular files have bytes to give at once.
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      try {
        const stat = fstatSync(descriptor)
        if (stat.isDirectory()) return { error: 'Is a directory', code: 'EISDIR' }
        if (!stat.isFile()) return { error: 'not a regular file', code: 'EINVAL' }
        if (stat.size > limitBytes) return { error: `larger than ${limitBytes} bytes`, code: 'EFBIG' }
        const bytes = Buffer.alloc(Math.min(stat.size + 1, limitBytes))
        let length = 0
        for (let got = -1; got !== 0 && length < bytes.length; length += got) {
          got = readSync(descriptor, bytes, length, bytes.length - length, null)
        }
        return { bytes: fromBytes(bytes.subarray(0, length)), stat: fileStat(stat) }
      } finally {
        closeSync(descriptor)
      }
    })
    if (!('error' in found) || found.code !== 'EACCES') return found
    // As Exim's sentences for files that cannot be opened end.
    return { ...found, error: `${found.error} (euid=${process.geteuid?.()} egid=${process.getegid?.()})` }
  },
  stat(path) {
    return attempt(() => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat === undefined ? whyMissing(path) : fileStat(stat)
    })
  },
  space(path) {
    try {
      const { bavail, bsize, ffree, files } = statfsSync(path)
      return { freeBytes: bavail * bsize, freeInodes: files === 0 ? -1 : ffree }
    } catch {
      return undefined
    }
  },
  list(path) {
    return attempt(() => readdirSync(path, { encoding: 'latin1' }))
  },
}

/** Whether this process could write in a folder, or make it. */
export function mayWriteFolder(path: string): boolean {
  const found = systemFiles.stat(path)
  const at = 'error' in found && found.code === 'ENOENT' ? dirname(path) : path
  try {
    accessSync(at, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** From version 24 on Node does not tell what is not there from what stands below a file. */
function whyMissing(path: string): FileTrouble {
  let above = dirname(path)
  for (;;) {
    const stat = statSync(above, { throwIfNoEntry: false })
    if (stat?.isDirectory() === false) return belowFile
    if (stat !== undefined || above === dirname(above)) return missing
    above = dirname(above)
  }
}

function fileStat(stat: Stats): FileStat {
  return {
    mode: stat.mode,
    inode: stat.ino,
    device: stat.dev,
    links: stat.nlink,
    uid: stat.uid,
    gid: stat.gid,
    size: stat.size,
    accessedAt: stat.atimeMs,
    modifiedAt: stat.mtimeMs,
    changedAt: stat.ctimeMs,
    kind: kindOf(stat),
  }
}

function kindOf(stat: Stats): FileStat['kind'] {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'link'
  if (stat.isFIFO()) return 'fifo'
  if (stat.isSocket()) return 'socket'
  return stat.isBlockDevice() ? 'block' : 'character'
}

const sentences: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ENOENT: 'No such file or directory',
  ENOTDIR: 'Not a directory',
  ENXIO: 'No such device or address',
}

const missing: FileTrouble = { error: 'No such file or directory', code: 'ENOENT' }
const belowFile: FileTrouble = { error: 'Not a directory', code: 'ENOTDIR' }

function attempt<T>(work: () => T): T | FileTrouble {
  try {
    return work()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
    return { error: sentences[code] ?? (error instanceof Error ? error.message : String(error)), code }
  }
}
