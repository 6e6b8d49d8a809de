/** The lookup types, and what is common to all of them. Source: Exim manual, "File and database lookups". */
import type { Awaitable } from '../../base/outcome.ts'
import { outsideWords } from '../../base/outside.ts'
import { isTainted, textOf, type ByteString } from '../../base/text.ts'
import type { Context, LookupRequest, LookupResult } from '../../ports.ts'
import { cdb } from './cdb.ts'
import { count, createLookupCounters, type LookupCounters } from './counters.ts'
import { dnsdb } from './dnsdb.ts'
import { dsearch } from './dsearch.ts'
import { createFileCache, type FileCache } from './file-cache.ts'
import { iplsearch } from './iplsearch.ts'
import { json } from './json.ts'
import { createLdapTypes } from './ldap.ts'
import { createDbm } from './dbm.ts'
import { createLmdb } from './lmdb.ts'
import { lsearch } from './lsearch.ts'
import { lookupTypeHelp, lookupTypes } from './parse-type.ts'
import { keysToTry, type TriedKey } from './partial.ts'
import { createMysql } from './mysql.ts'
import { psl, regdom } from './psl.ts'
import { passwd } from './passwd.ts'
import { createPgsql } from './pgsql.ts'
import { readsock } from './readsock.ts'
import { createResultCache } from './result-cache.ts'
import { createRedis } from './redis.ts'
import { createSqlite } from './sqlite.ts'
import { testdb } from './testdb.ts'
import {
  parseOptions,
  type LookupOptions,
  type LookupTypeRow,
  type Opened,
  type QueryType,
  type SingleKeyType,
} from './types.ts'
import { nwildlsearch, wildlsearch } from './wildlsearch.ts'

const builtIn: readonly LookupTypeRow[] = [
  cdb,
  dnsdb,
  dsearch,
  iplsearch,
  json,
  lsearch,
  nwildlsearch,
  passwd,
  psl,
  readsock,
  regdom,
  testdb,
  wildlsearch,
]

/** Types that keep connections; each `Lookups` has its own. */
const databases: readonly (() => readonly LookupTypeRow[])[] = [
  createDbm,
  createLdapTypes,
  () => [createLmdb()],
  () => [createMysql()],
  () => [createPgsql()],
  () => [createRedis()],
  () => [createSqlite()],
]

export interface Lookups {
  lookup(request: LookupRequest, context: Context): Awaitable<LookupResult>
  /** Names of the types that work. */
  readonly names: readonly string[]
  /** What became of the lookups so far. */
  readonly counters: LookupCounters
  /** Forgets files and ends connections. */
  close(): void
}

export interface LookupDeps {
  /** Types whose knowledge lives elsewhere. */
  readonly extra?: readonly LookupTypeRow[]
  /** Files kept in parsed form. */
  readonly keptFiles?: number
}

export function createLookups(deps: LookupDeps = {}): Lookups {
  const connected = databases.flatMap((create) => create())
  const all: readonly LookupTypeRow[] = [...builtIn, ...connected, ...(deps.extra ?? [])]
  const rows = new Map(all.map((row) => [row.name, row]))
  const cache = createFileCache(deps.keptFiles ?? 200)
  const counters = createLookupCounters()
  const results = createResultCache()
  return {
    counters,
    names: [...rows.keys()].sort(),
    close() {
      cache.clear()
      for (const row of connected) row.close?.()
    },
    lookup(request, context) {
      const row = rows.get(request.type)
      if (row === undefined) return unknownType(request.type)
      const options = parseOptions(request.options)
      const counts = counters.of(request.type)
      const known = results.read(request, options, context)
      if (known !== undefined) {
        counts.fromCache++
        return known
      }
      counts.asked++
      const result =
        row.style === 'query'
          ? askQuery(row, request, options, context)
          : askFile(row, request, options, context, cache)
      if (!(result instanceof Promise)) {
        count(counts, result)
        return result
      }
      counts.waiting++
      const start = performance.now()
      const settled = result.then((end) => {
        const tookMs = performance.now() - start
        counts.waiting--
        counts.waitedMs += tookMs
        count(counts, end)
        logSlow(request, tookMs, context)
        return end
      })
      // Files are kept in parsed form, and seldom must be waited for.
      if (row.style === 'query') results.write(request, options, context, settled)
      return settled
    },
  }
}

/** As Exim's line about slow DNS lookups. Settings before an LDAP URL hold passwords. */
function logSlow({ type, key }: LookupRequest, tookMs: number, { settings, ports }: Context): void {
  const { slow_lookup_log: limitMs } = settings
  if (limitMs === 0 || tookMs < limitMs) return
  const query = textOf(key)
    .replace(/^[\s\S]*?(?=ldap[is]?:\/\/)/i, '')
    .slice(0, 200)
  ports.log.main(undefined, `Long ${type} lookup for '${query}': ${Math.round(tookMs)} msec`)
}

function unknownType(name: string): LookupResult {
  if (!Object.hasOwn(lookupTypes, name)) return { is: 'failure', message: `unknown lookup type "${name}"` }
  const help = lookupTypeHelp(name)
  return {
    is: 'failure',
    message: `lookup type "${name}" is not available${help === undefined ? '' : `: ${help}`}`,
  }
}

function askQuery(
  row: QueryType,
  request: LookupRequest,
  options: LookupOptions,
  context: Context,
): Awaitable<LookupResult> {
  const result = row.find(request.key, options, context, request.parameters)
  return result instanceof Promise ? result.then((end) => named(end, request)) : named(result, request)
}

/** Exim says of what the lookup was when it defers. */
function named(result: LookupResult, request: LookupRequest): LookupResult {
  if (result.is !== 'defer') return result
  return { is: 'defer', message: `lookup of "${textOf(request.key)}" gave DEFER: ${result.message}` }
}

function askFile(
  row: SingleKeyType,
  request: LookupRequest,
  options: LookupOptions,
  context: Context,
  cache: FileCache,
): Awaitable<LookupResult> {
  const file = request.file ?? ''
  if (isTainted(file) && row.fileIsData !== true) {
    return {
      is: 'failure',
      message: `Tainted filename for search: '${file.text}' ${outsideWords(file.spans[0]?.origin)}`,
    }
  }
  const key = textOf(request.key)
  const keys = keysToTry(key, request)
  const finish = (result: LookupResult): LookupResult =>
    result.is === 'found' && options.get('ret') === 'key' ? { ...result, data: key } : named(result, request)
  const opened = row.open(textOf(file), options, context, cache)
  const go = (found: Opened): Awaitable<LookupResult> => {
    if ('error' in found) return finish({ is: found.error, message: found.message })
    // An empty key is never found, but the default is: Exim manual, "Lookup types", "Default values in single-key lookups".
    const tried = key === '' ? keys.filter(({ isDefault }) => isDefault === true) : keys
    const result = tryKeys(found.find, tried, 0)
    return result instanceof Promise ? result.then(finish) : finish(result)
  }
  return opened instanceof Promise ? opened.then(go) : go(opened)
}

/** The first key that is found, or that does not end with "none", decides. */
function tryKeys(
  find: (key: ByteString) => Awaitable<LookupResult>,
  keys: readonly TriedKey[],
  from: number,
): Awaitable<LookupResult> {
  for (let i = from; i < keys.length; i++) {
    const tried = keys[i]
    if (tried === undefined) break
    const settle = (result: LookupResult): LookupResult =>
      result.is === 'found' && tried.wildLength > 0
        ? { ...result, wildLength: tried.wildLength, ...(tried.isDefault && { isDefault: true }) }
        : result
    const result = find(tried.key)
    if (result instanceof Promise) {
      return result.then((end) => (end.is === 'none' ? tryKeys(find, keys, i + 1) : settle(end)))
    }
    if (result.is !== 'none') return settle(result)
  }
  return { is: 'none' }
}
