/** Keys in LMDB files, read only. Source: Exim manual, "Single-key lookup types", lmdb. */
import { decodeUtf8, fromBytes, toBytes } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import { createHelperProcess, type HelperProcess } from './helper-process.ts'
import type { LmdbAnswer } from './lmdb-worker.ts'
import { durationOption, type SingleKeyType } from './types.ts'

/** Most questions that wait. */
const mostWaiting = 1_000

export function createLmdb(): SingleKeyType {
  let helper: HelperProcess<LmdbAnswer> | undefined
  const helperOf = (): HelperProcess<LmdbAnswer> => {
    const made: HelperProcess<LmdbAnswer> = (helper ??= createHelperProcess<LmdbAnswer>(
      './lmdb-worker.js',
      {},
      (id, message) => ({ id, is: 'error', message }),
      () => {
        if (helper === made) helper = undefined
      },
    ))
    return made
  }
  return {
    name: 'lmdb',
    doc: 'Searches an LMDB database file.',
    since: '0.1',
    style: 'single',
    open(file, options, context) {
      const stat = context.ports.files.stat(file)
      const failed = (why: string) =>
        ({ error: 'failure', message: `LMDB: Unable to open DB file ${file}: ${why}` }) as const
      if ('error' in stat) return failed(stat.error)
      if (stat.kind !== 'file') return failed('not a regular file')
      const limitMs = durationOption(options, 'timeout', 5_000)
      const most = Math.max(1, context.settings.lookup_open_max)
      return {
        async find(key): Promise<LookupResult> {
          const process = helperOf()
          if (process.waiting() >= mostWaiting)
            return { is: 'defer', message: 'LMDB: too many lookups under way' }
          const answer = await process.ask({ file: decodeUtf8(file), key: toBytes(key), most }, limitMs)
          switch (answer.is) {
            case 'found':
              return { is: 'found', data: fromBytes(answer.data) }
            case 'none':
              return { is: 'none' }
            case 'error':
              return { is: 'defer', message: `LMDB: Unable to open DB file ${file}: ${answer.message}` }
          }
        },
      }
    },
    close() {
      helper?.end()
      helper = undefined
    },
  }
}
