/** Lookups in PostgreSQL. The one file that knows the package `pg`. Source: Exim manual, "Special PostgreSQL features". */
import { encodeUtf8, type ByteString } from '../../base/text.ts'
import type { Client, QueryArrayConfig, QueryArrayResult } from 'pg'
import type { PoolDoor } from './pool.ts'
import { createSqlEngine, QueryFailed, type SqlAnswer, type SqlDoor } from './sql.ts'
import { pgsqlNames, type ServerItem } from './sql-servers.ts'
import type { QueryType } from './types.ts'

interface Connection {
  readonly client: Client
  usable: boolean
  /** `standard_conforming_strings`, as the server reports it. */
  standardStrings: boolean
}

/** What of `pg` its types leave out. */
interface Inner {
  readonly connection?: {
    on(event: 'parameterStatus', listen: (message: ParameterStatus) => void): void
  }
  ref?(): void
  getTransactionStatus?(): string
  unref?(): void
}
interface ParameterStatus {
  readonly parameterName: string
  readonly parameterValue: string
}

const door: SqlDoor<Connection> = {
  shortName: 'PGSQL',
  names: pgsqlNames,
  connection: openPool,
  rules: ({ standardStrings }) => ({
    type: 'pgsql',
    backslashes: !standardStrings,
    doubleQuotedStrings: false,
  }),
  run,
}

/** `host:port`, or `(/tmp/.s.PGSQL.5432)`: the folder and the number after the last dot. */
function placeOf(host: ByteString): { readonly host: string; readonly port: number } {
  const socket = /^\((.*)\/\.s\.PGSQL\.(\d+)\)$/.exec(host)
  if (socket !== null) return { host: socket[1] ?? '', port: Number(socket[2]) }
  const tcp = /^(.*?):(\d+)$/.exec(host)
  return { host: (tcp?.[1] ?? host).replace(/^\[(.*)\]$/, '$1'), port: Number(tcp?.[2] ?? 5432) }
}

/** What an item leaves empty is left to the library. */
function given<T extends Readonly<Record<string, string | undefined>>>(
  words: T,
): Partial<Record<keyof T, string>> {
  // Only entries are taken out.
  return Object.fromEntries(
    Object.entries(words).filter(([, word]) => word !== undefined && word !== ''),
  ) as Partial<Record<keyof T, string>>
}

async function openPool(
  [host = '', database, user, password]: ServerItem,
  limitMs: number,
): Promise<PoolDoor<Connection>> {
  const { default: pg } = await import('pg')
  const place = placeOf(host)
  // TLS where the server offers it, as libpq does when nothing else is said; certificates are not looked at.
  let encrypted = !place.host.startsWith('/')
  const connect = async (): Promise<Connection> => {
    const client = new pg.Client({
      ...place,
      ...given({ database, user, password }),
      ssl: encrypted ? { rejectUnauthorized: false } : false,
      connectionTimeoutMillis: limitMs,
      // All values as the server writes them.
      types: { getTypeParser: () => (value: string) => value },
      application_name: 'postern',
    })
    const connection: Connection = { client, usable: true, standardStrings: false }
    const ended = (): void => {
      connection.usable = false
    }
    client.on('error', ended)
    client.on('end', ended)
    // pg hands these messages on from the connection within the client.
    const inner = (client as unknown as Inner).connection
    inner?.on('parameterStatus', ({ parameterName, parameterValue }) => {
      if (parameterName === 'standard_conforming_strings')
        connection.standardStrings = parameterValue === 'on'
    })
    try {
      await client.connect()
      return connection
    } catch (error) {
      client.end().catch(() => undefined)
      throw error
    }
  }
  return {
    async open() {
      try {
        return await connect()
      } catch (error) {
        // Of several opened at once each is told; only one with TLS can be.
        if (!(error instanceof Error && /does not support SSL/.test(error.message))) throw error
        encrypted = false
        return connect()
      }
    },
    close({ client }) {
      client.end().catch(() => undefined)
    },
    // A transaction that a query left open must not go on in the next one.
    usable: ({ client, usable }) => usable && (client as unknown as Inner).getTransactionStatus?.() === 'I',
    hold({ client }, busy) {
      const inner = client as unknown as Inner
      if (busy) inner.ref?.()
      else inner.unref?.()
    },
  }
}

type Result = QueryArrayResult<(string | null)[]>

async function run(
  connection: Connection,
  sql: string,
  limitMs: number,
  values?: readonly string[],
): Promise<SqlAnswer> {
  try {
    const query: QueryArrayConfig & { query_timeout: number } = {
      text: sql,
      rowMode: 'array',
      query_timeout: limitMs,
      ...(values === undefined ? {} : { values: [...values] }),
    }
    // Several statements give several results.
    const all = (await connection.client.query<(string | null)[]>(query)) as Result | Result[]
    // The last counts, as in Exim.
    const last = Array.isArray(all) ? all.at(-1) : all
    if (last === undefined) return { rows: undefined, affected: undefined }
    if (last.fields.length > 0) {
      const rows = last.rows.map((row) =>
        row.map((value) => (value === null ? undefined : encodeUtf8(value))),
      )
      return { rows: { columns: last.fields.map(({ name }) => encodeUtf8(name)), rows }, affected: undefined }
    }
    // A command that counts nothing (CREATE) reports no number.
    return { rows: undefined, affected: last.rowCount ?? undefined }
  } catch (error) {
    const { code, severity, message } = error as { code?: string; severity?: string; message: string }
    // Classes 08, 53, 57P: the server is not able to serve just now. Another may be.
    if (code !== undefined && severity !== undefined && !/^(?:08|53|57P)/.test(code))
      throw new QueryFailed(`${severity}:  ${message}`)
    throw error
  }
}

export function createPgsql(): QueryType {
  const engine = createSqlEngine(door)
  return {
    name: 'pgsql',
    doc: 'Sends an SQL statement to a PostgreSQL server.',
    since: '0.1',
    style: 'query',
    find: (query, options, context, parameters) =>
      engine.find(query, options, context.settings.pgsql_servers, context, parameters),
    close: () => engine.close(),
  }
}
