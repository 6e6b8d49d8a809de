/** Keys in LMDB files, read only. Source: Exim manual, "Single-key lookup types", lmdb. */
import { type FileHandle, open } from 'node:fs/promises'
import { decodeUtf8, fromBytes, toBytes } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import { findInLmdb, type LmdbFound } from './lmdb-pages.ts'
import type { SingleKeyType } from './types.ts'

/** Longest key of the usual LMDB. */
const longestKey = 511

interface Kept {
  /** Another file in its place has another. */
  readonly mark: string
  readonly handle: Promise<FileHandle>
  users: number
  /** No longer kept: the last user closes it. */
  dropped: boolean
}

/** Files that stay open, at most so many as are idle. */
class OpenFiles {
  readonly #kept = new Map<string, Kept>()

  async find(file: string, mark: string, key: Buffer, most: number): Promise<LmdbFound> {
    const kept = this.#take(file, mark, most)
    kept.users++
    try {
      const handle = await kept.handle
      return await findInLmdb(async (position, length) => {
        const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, position)
        return buffer.subarray(0, bytesRead)
      }, key)
    } catch (error) {
      if (this.#kept.get(file) === kept) this.#kept.delete(file)
      kept.dropped = true
      return { is: 'error', message: error instanceof Error ? error.message : String(error) }
    } finally {
      kept.users--
      if (kept.dropped && kept.users === 0) close(kept)
    }
  }

  closeAll(): void {
    for (const kept of this.#kept.values()) drop(kept)
    this.#kept.clear()
  }

  #take(file: string, mark: string, most: number): Kept {
    let kept = this.#kept.get(file)
    // The one asked last stands last.
    this.#kept.delete(file)
    if (kept?.mark !== mark) {
      if (kept !== undefined) drop(kept)
      kept = { mark, handle: open(decodeUtf8(file), 'r'), users: 0, dropped: false }
    }
    this.#kept.set(file, kept)
    for (const [oldest, idle] of this.#kept) {
      if (this.#kept.size <= most) break
      this.#kept.delete(oldest)
      drop(idle)
    }
    return kept
  }
}

function drop(kept: Kept): void {
  kept.dropped = true
  if (kept.users === 0) close(kept)
}

function close({ handle }: Kept): void {
  handle.then((opened) => opened.close()).catch(() => undefined)
}

export function createLmdb(): SingleKeyType {
  const files = new OpenFiles()
  return {
    name: 'lmdb',
    doc: 'Searches an LMDB database file.',
    since: '0.1',
    style: 'single',
    open(file, _, context) {
      const stat = context.ports.files.stat(file)
      const unable = (why: string): string => `LMDB: Unable to open DB file ${file}: ${why}`
      if ('error' in stat) return { error: 'failure', message: unable(stat.error) }
      if (stat.kind !== 'file') return { error: 'failure', message: unable('not a regular file') }
      const mark = `${stat.device}:${stat.inode}`
      const most = Math.max(1, context.settings.lookup_open_max)
      return {
        async find(key): Promise<LookupResult> {
          if (key.length === 0 || key.length > longestKey) return { is: 'none' }
          const answer = await files.find(file, mark, Buffer.from(toBytes(key)), most)
          if (answer.is === 'found') return { is: 'found', data: fromBytes(answer.data) }
          return answer.is === 'none' ? answer : { is: 'defer', message: unable(answer.message) }
        },
      }
    },
    close: () => files.closeAll(),
  }
}
