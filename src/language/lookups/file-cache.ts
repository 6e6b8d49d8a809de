/** Files kept in parsed form and read again when they changed. */
import type { Awaitable } from '../../base/outcome.ts'
import { Recent } from '../../base/recent.ts'
import type { ByteString } from '../../base/text.ts'
import type { Context, FileStat } from '../../ports.ts'

/** Largest file a lookup reads, in bytes. */
const largestFile = 1024 * 1024 * 1024

interface Kept {
  readonly mark: string
  readonly parsed: Awaitable<unknown>
}

export type FileProblem = { readonly problem: string }

export interface FileCache {
  /**
   * The file in the form that `parse` gives, made once until inode, time or size change.
   * `form` tells forms of one file apart; `words` names the kind of search in messages: `linear search`.
   */
  get<T extends object>(
    path: string,
    form: string,
    words: string,
    context: Context,
    parse: (bytes: ByteString) => Awaitable<T>,
  ): Awaitable<T | FileProblem>
  clear(): void
}

export function createFileCache(mostFiles: number): FileCache {
  const kept = new Recent<string, Kept>(mostFiles)
  return {
    get<T extends object>(
      path: string,
      form: string,
      words: string,
      context: Context,
      parse: (bytes: ByteString) => Awaitable<T>,
    ): Awaitable<T | FileProblem> {
      const stat = context.ports.files.stat(path)
      if ('error' in stat) return { problem: `failed to open ${path} for ${words}: ${stat.error}` }
      if (stat.kind !== 'file')
        return { problem: `${path} is not a regular file (${form.split(' ')[0] ?? ''} lookup)` }
      const mark = markOf(stat)
      const key = `${form}\0${path}`
      const known = kept.get(key)
      // The form names the parse function, so what is kept under it has its type.
      if (known !== undefined && known.mark === mark) return known.parsed as Awaitable<T>
      const read = context.ports.files.read(path, largestFile)
      if ('error' in read) return { problem: `failed to open ${path} for ${words}: ${read.error}` }
      const parsed = parse(read.bytes)
      kept.set(key, { mark, parsed })
      if (!(parsed instanceof Promise)) return parsed
      return parsed.then((value) => {
        // Later lookups need no promise.
        if (kept.get(key)?.parsed === parsed) kept.set(key, { mark, parsed: value })
        return value
      })
    },
    clear: () => kept.clear(),
  }
}

function markOf(stat: FileStat): string {
  return `${stat.device}:${stat.inode}:${stat.size}:${stat.modifiedAt}:${stat.changedAt}`
}
