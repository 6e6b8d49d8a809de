import type { ByteString } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import { KeyIndex } from './key-index.ts'
import { eachEntry, type Entry } from './lines.ts'
import type { LookupOptions, SingleKeyType } from './types.ts'

type Index = KeyIndex<Entry>

const none: LookupResult = { is: 'none' }

export function foundEntry(entry: Entry, options: LookupOptions): LookupResult {
  return {
    is: 'found',
    data: options.get('ret') === 'full' ? `${entry.key}${entry.gap ?? ':'}${entry.data}` : entry.data,
  }
}

export const lsearch: SingleKeyType = {
  name: 'lsearch',
  doc: 'Searches a text file for a line that begins with the key.',
  since: '0.1',
  style: 'single',
  open(file, options, context, cache) {
    const index = cache.get(file, 'lsearch', 'linear search', context, (bytes) => {
      const made: Index = new KeyIndex()
      const done = eachEntry(bytes, (entry) => made.add(entry.key.toLowerCase(), entry))
      return done instanceof Promise ? done.then(() => made) : made
    })
    const opened = (found: Index | { problem: string }) => {
      if ('problem' in found) return { error: 'failure', message: found.problem } as const
      return {
        find(key: ByteString): LookupResult {
          const entry = found.get(key.toLowerCase())
          return entry === undefined ? none : foundEntry(entry, options)
        },
      }
    }
    return index instanceof Promise ? index.then(opened) : opened(index)
  },
}
