/** Lookups in MySQL and MariaDB. The one file that knows the package `mysql2`. Source: Exim manual, "Special MySQL features". */
import { encodeUtf8, fromBytes, type ByteString } from '../../base/text.ts'
import type { Connection as Client, FieldPacket, QueryError, ResultSetHeader, RowDataPacket } from 'mysql2'
import type { PoolDoor } from './pool.ts'
import { createSqlEngine, QueryFailed, type SqlAnswer, type SqlDoor } from './sql.ts'
import { mysqlNames, type ServerItem } from './sql-servers.ts'
import type { QueryType } from './types.ts'

interface Connection {
  readonly client: Client
  usable: boolean
  /** Words of `@@sql_mode`. */
  mode: readonly string[]
}

const door: SqlDoor<Connection> = {
  shortName: 'MYSQL',
  names: mysqlNames,
  connection: openPool,
  rules: ({ mode }) => ({
    type: 'mysql',
    backslashes: !mode.includes('NO_BACKSLASH_ESCAPES'),
    doubleQuotedStrings: !mode.includes('ANSI_QUOTES'),
  }),
  literal: (hex) => `_utf8mb4 X'${hex}'`,
  run,
}

/** Where Debian's servers listen for local clients. */
const usualSocket = '/run/mysqld/mysqld.sock'

type Place = { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** `host:port(socket)[group]`, every part optional. Option files are not read. */
function placeOf(text: ByteString): Place {
  const host = text.replace(/\[[^\]:]*\]$/, '')
  const socket = /\(([^)]*)\)$/.exec(host)?.[1]
  const bare = host.replace(/\([^)]*\)$/, '')
  if (bare === '' || bare === 'localhost') return { socketPath: socket ?? usualSocket }
  const tcp = /^(.*?):(\d+)$/.exec(bare)
  return { host: (tcp?.[1] ?? bare).replace(/^\[(.*)\]$/, '$1'), port: Number(tcp?.[2] ?? 3306) }
}

async function openPool(
  [host = '', database, user, password]: ServerItem,
  limitMs: number,
): Promise<PoolDoor<Connection>> {
  const { createConnection } = await import('mysql2')
  return {
    async open() {
      const client = createConnection({
        ...placeOf(host),
        ...(database === undefined || database === '' ? {} : { database }),
        user: user ?? '',
        password: password ?? '',
        connectTimeout: limitMs,
        // The bytes of a query mean the same to us and to the server.
        charset: 'utf8mb4_general_ci',
        // The affected rows are those that changed, as in Exim.
        flags: ['-FOUND_ROWS', '-LOCAL_FILES', '-MULTI_STATEMENTS'],
        rowsAsArray: true,
        typeCast: (field: { buffer(): Buffer | null }) => field.buffer(),
      })
      const connection: Connection = { client, usable: true, mode: [] }
      const ended = (): void => {
        connection.usable = false
      }
      client.on('error', ended)
      client.on('end', ended)
      try {
        await new Promise<void>((resolve, reject) => {
          client.connect((error) => (error === null ? resolve() : reject(error)))
        })
        const { rows } = await run(connection, 'select @@sql_mode', limitMs)
        connection.mode = rows?.rows[0]?.[0]?.split(',') ?? []
      } catch (error) {
        client.destroy()
        throw error
      }
      return connection
    },
    close: ({ client }) => client.destroy(),
    usable: (connection) => connection.usable,
    hold({ client }, busy) {
      // The socket of a connection, which the types leave out.
      const { stream } = client as unknown as { readonly stream?: { ref?(): void; unref?(): void } }
      if (busy) stream?.ref?.()
      else stream?.unref?.()
    },
  }
}

type Raw =
  | readonly (readonly (Buffer | null)[])[]
  | { readonly affectedRows: number; readonly serverStatus: number }

/** SERVER_STATUS_IN_TRANS of the protocol. */
const inTransaction = 1

function run(connection: Connection, sql: string, limitMs: number): Promise<SqlAnswer> {
  // An empty statement is an error for the server; Exim finds nothing.
  if (sql.trim() === '') return Promise.resolve({ rows: undefined, affected: undefined })
  return new Promise((resolve, reject) => {
    connection.client.query(
      { sql, timeout: limitMs },
      (error: QueryError | null, raw: RowDataPacket[][] | ResultSetHeader, fields?: FieldPacket[]) => {
        if (error !== null) {
          reject(
            typeof error.errno === 'number' && error.errno > 0 && error.fatal !== true
              ? new QueryFailed(error.message)
              : error,
          )
          return
        }
        // With `rowsAsArray` and our `typeCast` a result is one of these two.
        const result = raw as unknown as Raw
        // A transaction that a query left open must not go on in the next one.
        if ('affectedRows' in result && (result.serverStatus & inTransaction) !== 0) connection.usable = false
        if ('affectedRows' in result) resolve({ rows: undefined, affected: result.affectedRows })
        else {
          const rows = result.map((row) =>
            row.map((value) => (value === null ? undefined : fromBytes(value))),
          )
          resolve({
            rows: {
              columns: (fields ?? []).map(({ name }) => encodeUtf8(name)),
              rows: fields?.length === 1 ? withoutLeadingNulls(rows) : rows,
            },
            affected: undefined,
          })
        }
      },
    )
  })
}

/** Of a single column a NULL before anything else is nothing, not even a line end; alone it is not found. */
function withoutLeadingNulls<Row extends readonly (ByteString | undefined)[]>(
  rows: readonly Row[],
): readonly Row[] {
  const first = rows.findIndex(([value]) => value !== undefined)
  return first < 0 ? [] : rows.slice(first)
}

export function createMysql(): QueryType {
  const engine = createSqlEngine(door)
  return {
    name: 'mysql',
    doc: 'Sends an SQL statement to a MySQL or MariaDB server.',
    since: '0.1',
    style: 'query',
    find: (query, options, context, parameters) =>
      engine.find(query, options, context.settings.mysql_servers, context, parameters),
    close: () => engine.close(),
  }
}
