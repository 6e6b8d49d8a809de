/**
 * One SQLite database in a process of its own, started by sqlite.ts. The one file that knows `node:sqlite`
 * and the package `node-sqlite3-wasm`, which stands in for it where Node has none.
 */
import { markLocks, removeDeadLock } from './sqlite-locks.ts'
import { readStatements } from './sqlite-statements.ts'

/** What the process is started with. */
export interface SqliteStart {
  readonly file: string
  readonly lockTimeoutMs: number
}
export interface SqliteQuestion {
  readonly id: number
  readonly sql: string
}
/** A value is undefined for NULL. */
export type SqliteAnswer = { readonly id: number } & (
  | {
      readonly is: 'rows'
      readonly columns: readonly string[]
      readonly rows: readonly (readonly (string | Uint8Array | undefined)[])[]
    }
  | { readonly is: 'changed'; readonly count: number }
  | { readonly is: 'error'; readonly message: string }
)

type Value = number | bigint | string | Uint8Array | null
interface Rows {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
}
interface Database {
  all(sql: string): Rows
}

/** What we use of `node:sqlite`; older versions lack the optional parts. */
interface NodeSqlite {
  readonly DatabaseSync: new (
    file: string,
  ) => {
    prepare(sql: string): {
      setReadBigInts(on: boolean): void
      setReturnArrays?(on: boolean): void
      columns?(): readonly { readonly name: string }[]
      all(): readonly (readonly Value[] | Readonly<Record<string, Value>>)[]
    }
  }
}

async function open(file: string): Promise<Database> {
  const native = await nodeSqlite()
  if (native !== undefined) {
    const database = new native.DatabaseSync(file)
    return {
      all(sql) {
        const statement = database.prepare(sql)
        // So that integers and floating point numbers are told apart.
        statement.setReadBigInts(true)
        if (statement.columns === undefined || statement.setReturnArrays === undefined)
          return fromObjects(statement.all())
        statement.setReturnArrays(true)
        const columns = statement.columns().map(({ name }) => name)
        return { columns, rows: statement.all().map((row) => Object.values(row)) }
      },
    }
  }
  markLocks(file)
  const { Database: Wasm } = (await import('node-sqlite3-wasm')).default
  const database = new Wasm(file)
  return {
    all(sql) {
      const statement = database.prepare(sql)
      try {
        // Without the option `expand` a row has a value for each name.
        return fromObjects(statement.all() as Record<string, Value>[])
      } finally {
        statement.finalize()
      }
    },
  }
}

async function nodeSqlite(): Promise<NodeSqlite | undefined> {
  // The types of the oldest Node that we support do not know the module.
  const name: string = 'node:sqlite'
  try {
    return (await import(name)) as NodeSqlite
  } catch {
    return undefined
  }
}

function fromObjects(rows: readonly (readonly Value[] | Readonly<Record<string, Value>>)[]): Rows {
  return { columns: Object.keys(rows[0] ?? {}), rows: rows.map((row): Value[] => Object.values(row)) }
}

/** As SQLite writes a value: a floating point number has a point. */
function show(value: Value): string | Uint8Array | undefined {
  if (value === null) return undefined
  if (typeof value !== 'number' || !native) return typeof value === 'object' ? value : String(value)
  const digits = String(Number(value.toPrecision(15)))
  return /^-?\d+$/.test(digits) ? `${digits}.0` : digits
}

// Without a handler the signal would open Node's debugger.
process.on('SIGUSR1', () => undefined)
process.on('disconnect', () => process.exit())
// The one argument is what sqlite.ts wrote.
const { file, lockTimeoutMs } = JSON.parse(process.argv[2] ?? '{}') as SqliteStart
// Node 22 warns that the module is young; an administrator cannot do anything about it.
process.emitWarning = () => undefined
const native = (await nodeSqlite()) !== undefined
let database: Database | undefined

async function answer(question: SqliteQuestion): Promise<SqliteAnswer> {
  const first = await attempt(question)
  if (native || first.is !== 'error' || !first.message.includes('locked')) return first
  // Maybe a lock that a killed process left behind.
  return removeDeadLock(file) ? attempt(question) : first
}

async function attempt({ id, sql }: SqliteQuestion): Promise<SqliteAnswer> {
  try {
    if (database === undefined) {
      database = await open(file)
      database.all(`PRAGMA busy_timeout = ${lockTimeoutMs}`)
    }
    let columns: readonly string[] = []
    const rows: (readonly Value[])[] = []
    let changed: number | undefined
    for (const statement of readStatements(sql)) {
      const result = database.all(statement.sql)
      if (result.rows.length > 0) {
        columns = result.columns
        rows.push(...result.rows)
      } else if (statement.changes) changed = Number(database.all('SELECT changes()').rows[0]?.[0] ?? 0)
    }
    if (rows.length === 0 && changed !== undefined) return { id, is: 'changed', count: changed }
    return { id, is: 'rows', columns, rows: rows.map((row) => row.map(show)) }
  } catch (error) {
    return { id, is: 'error', message: error instanceof Error ? error.message : String(error) }
  }
}

// One after the other: a question waits until the one before is done.
let last: Promise<void> = Promise.resolve()
process.on('message', (question) => {
  // What comes over the channel was sent by sqlite.ts.
  last = last.then(async () => void process.send?.(await answer(question as SqliteQuestion)))
})
