/**
 * Lookups in SQLite files, each file in a process of its own: SQLite works synchronously, and a statement that runs
 * for ever inside it can be stopped only by ending the process (a thread of `node:sqlite` cannot be ended).
 * Source: Exim manual, "More about SQLite".
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
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
import { showRows } from './sql-row.ts'
import { bindAsLiterals, safeStatement } from './sql-statement.ts'
import type { SqliteAnswer, SqliteQuestion, SqliteStart } from './sqlite-worker.ts'
import { durationOption, type LookupOptions, type QueryType } from './types.ts'

/** Most database files that are kept open. */
const mostFiles = 8
/** Most questions that wait for one file. */
const mostWaiting = 1_000

interface Helper {
  ask(sql: string, limitMs: number): Promise<SqliteAnswer>
  readonly waiting: () => number
  end(): void
}

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
  const answer = await helper.ask(decodeUtf8(statement.sql), limitMs)
  switch (answer.is) {
    case 'rows':
      if (answer.rows.length === 0) return { is: 'none' }
      return { is: 'found', data: showRows(inBytes(answer), '<NULL>') }
    case 'changed':
      // Differs from Exim, which finds nothing: the count is what the other databases give.
      return { is: 'found', data: String(answer.count) }
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

interface Waiting {
  readonly settle: (answer: SqliteAnswer) => void
  readonly timer: NodeJS.Timeout
}

function createHelper(start: SqliteStart, ended: () => void): Helper {
  const waiting = new Map<number, Waiting>()
  let next = 0
  const child = fork(fileURLToPath(new URL('./sqlite-worker.js', import.meta.url)), [JSON.stringify(start)], {
    env: {},
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  /** An idle helper does not keep the process alive. */
  const hold = (busy: boolean): void => {
    const channel = child.channel
    if (busy) {
      child.ref()
      channel?.ref()
    } else {
      child.unref()
      channel?.unref()
    }
  }
  hold(false)
  const settle = (answer: SqliteAnswer): void => {
    const one = waiting.get(answer.id)
    if (one === undefined) return
    clearTimeout(one.timer)
    waiting.delete(answer.id)
    if (waiting.size === 0) hold(false)
    one.settle(answer)
  }
  const fail = (message: string): void => {
    ended()
    for (const id of waiting.keys()) settle({ id, is: 'error', message })
  }
  // What comes over the channel was sent by sqlite-worker.ts.
  child.on('message', (answer) => settle(answer as SqliteAnswer))
  child.on('error', (error) => fail(error.message))
  child.on('exit', () => fail('the database process ended'))
  return {
    ask(sql, limitMs) {
      const question: SqliteQuestion = { id: next++, sql }
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          settle({ id: question.id, is: 'error', message: `no result within ${limitMs} ms` })
          ended()
          child.kill('SIGKILL')
        }, limitMs)
        waiting.set(question.id, { settle: resolve, timer })
        hold(true)
        child.send(question, (error) => {
          if (error !== null) settle({ id: question.id, is: 'error', message: error.message })
        })
      })
    },
    waiting: () => waiting.size,
    end: () => void child.kill('SIGKILL'),
  }
}
