/**
 * LMDB files in a process of its own, started by lmdb.ts: the library trusts the pages of a file, and one that is
 * damaged can end the process that reads it.
 */
import { statSync } from 'node:fs'
import { open, type RootDatabase } from 'lmdb'

export interface LmdbQuestion {
  readonly id: number
  readonly file: string
  readonly key: Uint8Array
  /** How many files may be kept open. */
  readonly most: number
}
export type LmdbAnswer = { readonly id: number } & (
  | { readonly is: 'found'; readonly data: Uint8Array }
  | { readonly is: 'none' }
  | { readonly is: 'error'; readonly message: string }
)

interface Kept {
  readonly mark: string
  readonly database: RootDatabase<Buffer, Buffer>
}

/** Longest key that LMDB takes. */
const longestKey = 511

const kept = new Map<string, Kept>()

function databaseOf(file: string, most: number): RootDatabase<Buffer, Buffer> {
  const { dev, ino } = statSync(file)
  const mark = `${dev}:${ino}`
  const known = kept.get(file)
  kept.delete(file)
  if (known !== undefined && known.mark !== mark) void known.database.close()
  const database =
    known?.mark === mark
      ? known.database
      : open<Buffer, Buffer>({
          path: file,
          noSubdir: true,
          readOnly: true,
          encoding: 'binary',
          keyEncoding: 'binary',
        })
  kept.set(file, { mark, database })
  for (const [oldest, idle] of kept) {
    if (kept.size <= most) break
    kept.delete(oldest)
    void idle.database.close()
  }
  return database
}

function answer({ id, file, key, most }: LmdbQuestion): LmdbAnswer {
  try {
    const database = databaseOf(file, most)
    // Others may have written since: the last transaction counts.
    database.resetReadTxn()
    const data = key.length > longestKey ? undefined : database.get(Buffer.from(key))
    return data === undefined ? { id, is: 'none' } : { id, is: 'found', data }
  } catch (error) {
    return { id, is: 'error', message: error instanceof Error ? error.message : String(error) }
  }
}

process.on('message', (question) => {
  // What comes over the channel was sent by lmdb.ts.
  process.send?.(answer(question as LmdbQuestion))
})
