/** Lists in files: an item that is an absolute path. */
import type { Awaitable } from '../../base/outcome.ts'
import { Recent } from '../../base/recent.ts'
import type { Files } from '../../ports.ts'
import type { ListKind } from '../config/configuration.ts'

/** Larger files are refused; a list of that size belongs into a cdb file. */
const LARGEST_FILE = 64 * 1024 * 1024
const MOST_FILES = 50

interface Kept<T> {
  readonly stamp: string
  /** A promise while a long file is compiled. */
  value: Awaitable<T>
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
    make: (lines: Iterable<string>) => Awaitable<T>,
  ): Awaitable<T> | { readonly error: string } {
    const stat = files.stat(path)
    if ('error' in stat) return { error: stat.error }
    const key = `${kind} ${variant} ${path}`
    const stamp = `${stat.device} ${stat.inode} ${stat.size} ${stat.modifiedAt} ${stat.changedAt}`
    const kept = this.#kept.get(key)
    if (kept?.stamp === stamp) return kept.value
    const read = files.read(path, LARGEST_FILE)
    if ('error' in read) return { error: read.error }
    const value = make(linesOf(read.bytes, kind))
    const fresh: Kept<T> = { stamp, value }
    this.#kept.set(key, fresh)
    if (value instanceof Promise) {
      const settle = (ready: T): void => {
        fresh.value = ready
      }
      // Who asks hears of a fault.
      value.then(settle, () => undefined)
    }
    return value
  }
}

/**
 * The lines that are items: comments and empty ones left out. In address and local part lists a # counts only
 * at the start or after white space.
 * Source: Exim manual, "File names in lists".
 */
export function* linesOf(bytes: string, kind: ListKind): Generator<string> {
  const comment = kind === 'address' || kind === 'localpart' ? /(?:^|[ \t])#.*$/ : /#.*$/
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\n', at)
    const line = bytes.slice(at, end < 0 ? bytes.length : end)
    at += line.length + 1
    const item = (line.includes('#') ? line.replace(comment, '') : line).trim()
    if (item !== '') yield item
  }
}
