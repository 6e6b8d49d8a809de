/**
 * Results of lookups that had to be waited for, kept for the message (before there is one: the connection) at hand.
 * Source: Exim manual, "Lookup caching": all results of a process; here many messages share a process.
 */
import { textOf } from '../../base/text.ts'
import type { Context, LookupRequest, LookupResult } from '../../ports.ts'
import type { LookupOptions } from './types.ts'

/** Most results of one message, and the longest that is kept, in bytes. */
const mostResults = 1_000
const longestResult = 256 * 1024

type Kept = Map<string, Promise<LookupResult>>

export interface ResultCache {
  /** What is known, unless the lookup says `cache=no_rd`. */
  read(request: LookupRequest, options: LookupOptions, context: Context): Promise<LookupResult> | undefined
  /** Keeps an answer that is under way, unless it says `cache=no_wr` or turns out to be none to keep. */
  write(request: LookupRequest, options: LookupOptions, context: Context, result: Promise<LookupResult>): void
}

export function createResultCache(): ResultCache {
  const scopes = new WeakMap<object, Kept>()
  const scopeOf = ({ message, connection, variables }: Context): object => message ?? connection ?? variables
  return {
    read(request, options, context) {
      if (options.get('cache') === 'no_rd') return undefined
      return scopes.get(scopeOf(context))?.get(keyOf(request))
    },
    write(request, options, context, result) {
      if (options.get('cache') === 'no_wr') return
      const scope = scopeOf(context)
      const kept: Kept = scopes.get(scope) ?? new Map<string, Promise<LookupResult>>()
      scopes.set(scope, kept)
      const key = keyOf(request)
      if (kept.size >= mostResults) kept.clear()
      kept.set(key, result)
      void result.then((end) => {
        if (!lasts(end) && kept.get(key) === result) kept.delete(key)
        // What changed the database makes older answers of it worthless.
        if (end.is === 'found' && end.keep === false) forget(kept, request.type)
      })
    },
  }
}

function lasts(result: LookupResult): boolean {
  if (result.is === 'none') return true
  return result.is === 'found' && result.keep !== false && textOf(result.data).length <= longestResult
}

function forget(kept: Kept, type: string): void {
  for (const key of kept.keys()) if (key.startsWith(`${type}\0`)) kept.delete(key)
}

/** The options that say how to cache do not make it another lookup. */
function keyOf({ type, options, key, file, parameters, partial, star }: LookupRequest): string {
  const rest = options.replace(/(?:^|,)\s*cache\s*=\s*\w+/g, '')
  const parts = [type, rest, textOf(file ?? ''), textOf(key)]
  if (partial !== undefined || star !== undefined) parts.push(JSON.stringify([partial, star]))
  return [...parts, ...(parameters ?? []).map(textOf)].join('\0')
}
