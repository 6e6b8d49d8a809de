/** Lists in files: an item that is an absolute path. */
import { Recent } from '../../base/recent.ts'
import type { Files } from '../../ports.ts'
import type { ListKind } from '../config/configuration.ts'

/** Larger files are refused; a list of that size belongs into a cdb file. */
const LARGEST_FILE = 64 * 1024 * 1024
const MOST_FILES = 50

interface Kept<T> {
  readonly stamp: string
  readonly value: T
}

/** Compiled files, kept until the file on disk changes. */
export class FileCache<T> {
  readonly #kept = new Recent<string, Kept<T>>(MOST_FILES)

  /** What `make` makes of the file's lines; an error with the words Exim's message ends with. */
  get(
    path: string,
    kind: ListKind,
    variant: string,
    files: Files,
    make: (lines: readonly string[]) => T,
  ): T | { readonly error: string } {
    const stat = files.stat(path)
    if ('error' in stat) return { error: stat.error }
    const key = `${kind} ${variant} ${path}`
    const stamp = `${stat.device} ${stat.inode} ${stat.size} ${stat.modifiedAt} ${stat.changedAt}`
    const kept = this.#kept.get(key)
    if (kept?.stamp === stamp) return kept.value
    const read = files.read(path, LARGEST_FILE)
    if ('error' in read) return { error: read.error }
    const value = make(linesOf(read.bytes, kind))
    this.#kept.set(key, { stamp, value })
    return value
  }
}

/**
 * The lines that are items: comments and empty ones left out. In address and local part lists a # counts only
 * at the start or after white space.
 * Source: Exim manual, "File names in lists".
 */
export function linesOf(bytes: string, kind: ListKind): string[] {
  const comment = kind === 'address' || kind === 'localpart' ? /(?:^|[ \t])#.*$/ : /#.*$/
  const lines: string[] = []
  for (const line of bytes.split('\n')) {
    const item = (line.includes('#') ? line.replace(comment, '') : line).trim()
    if (item !== '') lines.push(item)
  }
  return lines
}
