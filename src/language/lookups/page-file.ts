/** Database files of pages that stay open between lookups: those of LMDB and of Berkeley DB. */
import { type FileHandle, open } from 'node:fs/promises'
import { decodeUtf8 } from '../../base/text.ts'

/** Reads from a place of the file; fewer bytes than asked for at its end. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>

export type PageFound =
  | { readonly is: 'found'; readonly data: Buffer }
  | { readonly is: 'none' }
  /** `unusable`: the file is none of this kind, or of one that cannot be read. */
  | { readonly is: 'error'; readonly message: string; readonly unusable?: boolean }

export type FindInPages = (readAt: ReadAt, key: Buffer) => Promise<PageFound>

/** What a file says that cannot be. */
export class Damaged extends Error {}

/** It is no file of this kind, or one that cannot be read. */
export class Unusable extends Error {}

/** A value above this size is not read. */
export const largestValue = 64 * 1024 * 1024

interface Kept {
  /** Another file in its place has another. */
  readonly mark: string
  readonly handle: Promise<FileHandle>
  users: number
  /** No longer kept: the last user closes it. */
  dropped: boolean
}

/** Files that stay open, at most so many as are idle. */
export class OpenFiles {
  readonly #find: FindInPages
  readonly #kept = new Map<string, Kept>()

  constructor(find: FindInPages) {
    this.#find = find
  }

  async find(file: string, mark: string, key: Buffer, most: number): Promise<PageFound> {
    const kept = this.#take(file, mark, most)
    kept.users++
    try {
      const handle = await kept.handle
      return await this.#find(async (position, length) => {
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
