/** Keys in LMDB files, read only. Source: Exim manual, "Single-key lookup types", lmdb. */
import { fromBytes, toBytes } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import { findInLmdb } from './lmdb-pages.ts'
import { OpenFiles } from './page-file.ts'
import type { SingleKeyType } from './types.ts'

/** Longest key of the usual LMDB. */
const longestKey = 511

export function createLmdb(): SingleKeyType {
  const files = new OpenFiles(findInLmdb)
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
