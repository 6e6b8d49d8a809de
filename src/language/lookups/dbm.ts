/** Keys in Berkeley DB files, read only. Source: Exim manual, "Single-key lookup types", dbm, dbmjz and dbmnz. */
import { type ByteString, fromBytes, textOf, toBytes } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { findInBerkeley } from './berkeley-pages.ts'
import { OpenFiles } from './page-file.ts'
import type { SingleKeyType } from './types.ts'

interface Form {
  readonly name: string
  readonly doc: string
  /** The key as it stands in the file. */
  readonly keyOf: (key: ByteString, context: Context) => ByteString
}

const forms: readonly Form[] = [
  {
    name: 'dbm',
    doc: 'Searches a Berkeley DB file, in which a binary zero ends each key.',
    keyOf: (key) => `${key}\0`,
  },
  {
    name: 'dbmjz',
    doc: 'Searches a Berkeley DB file for the items of a list with binary zeros between them.',
    keyOf: (key, { ports }) => ports.splitList(key).map(textOf).join('\0'),
  },
  { name: 'dbmnz', doc: 'Searches a Berkeley DB file for the key as it is.', keyOf: (key) => key },
]

export function createDbm(): readonly SingleKeyType[] {
  const files = new OpenFiles(findInBerkeley)
  return forms.map(({ name, doc, keyOf }) => ({
    name,
    doc,
    since: '0.1',
    style: 'single',
    open(file, _, context) {
      const stat = context.ports.files.stat(file)
      const unable = (why: string): string => `failed to open ${file} as a db (v4.1+) file: ${why}`
      if ('error' in stat) return { error: 'failure', message: unable(stat.error) }
      if (stat.kind !== 'file')
        return {
          error: 'failure',
          message: unable(stat.kind === 'directory' ? 'Is a directory' : 'not a file'),
        }
      const mark = `${stat.device}:${stat.inode}`
      const most = Math.max(1, context.settings.lookup_open_max)
      return {
        async find(key): Promise<LookupResult> {
          const sought = Buffer.from(toBytes(keyOf(key, context)))
          const answer = await files.find(file, mark, sought, most)
          if (answer.is === 'none') return answer
          if (answer.is === 'error')
            return { is: answer.unusable === true ? 'failure' : 'defer', message: unable(answer.message) }
          // A binary zero ends what Exim takes of a value.
          const data = fromBytes(answer.data)
          const end = data.indexOf('\0')
          return { is: 'found', data: end < 0 ? data : data.slice(0, end) }
        },
      }
    },
    close: () => files.closeAll(),
  }))
}
