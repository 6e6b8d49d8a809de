/**
 * Lookups in SQLite files, each file in a process of its own: SQLite works synchronously, and a statement that runs
 * for ever inside it can be stopped only by ending the process (a thread of `node:sqlite` cannot be ended).
 * Source: Exim manual, "More about SQLite".
 */
import { isFailure } from '../../base/outcome.ts'
import {
  decodeUtf8,
  encodeUtf8,
  fromBytes,
  isTainted,
  slice,
  textOf,
  type ByteString,
  type Text,
} from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { createHelperProcess, type HelperProcess } from './helper-process.ts'
import { showRows } from './sql-row.ts'
import { bindAsLiterals, safeStatement } from './sql-statement.ts'
import type { SqliteAnswer, SqliteStart } from './sqlite-worker.ts'
import { durationOption, type LookupOptions, type QueryType } from './types.ts'

/** Most database files that are kept open. */
const mostFiles = 8
/** Most questions that wait for one file. */
const mostWaiting = 1_000

type Helper = HelperProcess<SqliteAnswer>

export function createSqlite(): QueryType {
  const helpers = new Map<string, Helper>()
  const helperOf = (start: SqliteStart): Helper | undefined => {
    const known = helpers.get(start.file)
    helpers.delete(start.file)
    if (known === undefined && helpers.size >= mostFiles) {
      // The one that was not used for longest gives way, unless it is at work.
      const idle = [...helpers].find(([, each]) => each.waiting() === 0)
      if (idle === undefined) return undefined
      idle[1].end()
      helpers.delete(idle[0])
    }
    const helper: Helper =
      known ??
      createHelper(start, () => {
        if (helpers.get(start.file) === helper) helpers.delete(start.file)
      })
    helpers.set(start.file, helper)
    return helper
  }
  return {
    name: 'sqlite',
    doc: 'Sends an SQL statement to an SQLite database file.',
    since: '0.1',
    style: 'query',
    find: (query, options, context, parameters) => find(query, options, context, helperOf, parameters),
    close() {
      for (const helper of helpers.values()) helper.end()
      helpers.clear()
    },
  }
}

async function find(
  query: Text,
  options: LookupOptions,
  context: Context,
  helperOf: (start: SqliteStart) => Helper | undefined,
  parameters: readonly Text[] | undefined,
): Promise<LookupResult> {
  const place = await fileOf(query, options, context)
  if ('is' in place) return place
  const rules = { type: 'sqlite', backslashes: false, doubleQuotedStrings: false } as const
  const safe = safeStatement(place.query, rules)
  const statement =
    parameters === undefined || safe.is === 'refused'
      ? safe
      : bindAsLiterals(safe.sql, parameters.map(textOf), rules, (hex) => `CAST(X'${hex}' AS TEXT)`)
  if (statement.is === 'refused') return { is: 'defer', message: statement.message }
  const lockTimeoutMs = context.settings.sqlite_lock_timeout * 1_000
  const helper = helperOf({ file: decodeUtf8(place.file), lockTimeoutMs })
  if (helper === undefined || helper.waiting() >= mostWaiting)
    return { is: 'defer', message: 'sqlite: too many lookups under way' }
  const limitMs = durationOption(options, 'timeout', lockTimeoutMs + 5_000)
  const answer = await helper.ask({ sql: decodeUtf8(statement.sql) }, limitMs)
  switch (answer.is) {
    case 'rows':
      if (answer.rows.length === 0) return { is: 'none' }
      return { is: 'found', data: showRows(inBytes(answer), '<NULL>') }
    case 'changed':
      // Differs from Exim, which finds nothing: the count is what the other databases give.
      return { is: 'found', data: String(answer.count), keep: false }
    case 'error':
      // Differs from Exim, which takes an error for "not found".
      return { is: 'defer', message: `sqlite: ${encodeUtf8(answer.message)}` }
  }
}

function inBytes(answer: SqliteAnswer & { readonly is: 'rows' }): Parameters<typeof showRows>[0] {
  const bytes = (value: string | Uint8Array | undefined): ByteString | undefined =>
    typeof value === 'string' ? encodeUtf8(value) : value && fromBytes(value)
  return { columns: answer.columns.map(encodeUtf8), rows: answer.rows.map((row) => row.map(bytes)) }
}

type FileAndQuery = { readonly file: ByteString; readonly query: Text }

/** `file=` of the lookup, the path before the query, or `sqlite_dbfile`. */
async function fileOf(
  query: Text,
  options: LookupOptions,
  context: Context,
): Promise<FileAndQuery | LookupResult> {
  const chosen = options.get('file')
  if (chosen !== undefined) return checked(chosen, query)
  const before = /^\s*(\/\S*)\s+/.exec(textOf(query))
  if (before !== null && !textOf(query).trimStart().startsWith('/*')) {
    const path = slice(query, 0, before[0].length)
    // Exim refuses any tainted query of this form; the path alone matters.
    if (isTainted(path))
      return { is: 'failure', message: `Tainted filename for search: '${before[1] ?? ''}'` }
    return checked(before[1] ?? '', slice(query, before[0].length))
  }
  const setting = context.settings.sqlite_dbfile
  const expanded = setting === undefined ? '' : await context.ports.expand(setting, context)
  if (isFailure(expanded)) return { is: 'defer', message: `sqlite_dbfile: ${expanded.message}` }
  if (isTainted(expanded))
    return { is: 'failure', message: `Tainted filename for search: '${expanded.text}'` }
  return checked(expanded, query)
}

function checked(file: ByteString, query: Text): FileAndQuery | LookupResult {
  if (!file.startsWith('/'))
    return { is: 'failure', message: 'absolute file name expected for "sqlite" lookup' }
  return { file, query }
}

/** Each file has a process of its own. */
function createHelper(start: SqliteStart, ended: () => void): Helper {
  return createHelperProcess<SqliteAnswer>(
    './sqlite-worker.js',
    start,
    (id, message) => ({ id, is: 'error', message }),
    ended,
  )
}
