/** What lookups in database servers have in common. Source: Exim manual, "SQL lookups". */
import { decodeUtf8, textOf, toBytes, type ByteString, type Text } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { createBreaker, type Breaker } from './breaker.ts'
import { createPool, type Pool, type PoolDoor } from './pool.ts'
import { serversFor, type ServerItem, type ServerNames } from './sql-servers.ts'
import { showRows, type SqlRows } from './sql-row.ts'
import {
  bindAsLiterals,
  missingParameter,
  placeholders,
  safeStatement,
  type SqlRules,
  type Statement,
} from './sql-statement.ts'
import { durationOption, type LookupOptions } from './types.ts'

/** What a statement led to; `rows` undefined: it gives no rows. */
export interface SqlAnswer {
  readonly rows: SqlRows | undefined
  /** Rows that it changed; undefined when the server told none. */
  readonly affected: number | undefined
}

/** Thrown when the server answered: another one need not be asked. */
export class QueryFailed extends Error {}

/** A client library in our terms. */
export interface SqlDoor<C> {
  /** `PGSQL`: how Exim begins its messages. */
  readonly shortName: string
  readonly names: ServerNames
  readonly connection: (server: ServerItem, limitMs: number) => Promise<PoolDoor<C>>
  /** How the server at the other end reads literals. */
  rules(connection: C): SqlRules
  /** How bytes in hexadecimal are written as text; undefined: the client binds values itself. */
  readonly literal?: (hex: string) => string
  run(connection: C, sql: string, limitMs: number, values?: readonly string[]): Promise<SqlAnswer>
}

interface Peer<C> {
  readonly pool: Pool<C>
  readonly breaker: Breaker
}

/** Most servers that connections are kept to. */
const mostPeers = 64

export interface SqlEngine {
  find(
    query: Text,
    options: LookupOptions,
    configured: readonly ByteString[] | undefined,
    context: Context,
    parameters?: readonly Text[],
  ): Promise<LookupResult>
  close(): void
}

export function createSqlEngine<C>(door: SqlDoor<C>): SqlEngine {
  const peers = new Map<string, Promise<Peer<C>>>()

  function peerOf(server: ServerItem, limitMs: number, now: () => number): Promise<Peer<C>> | undefined {
    const key = server.join('/')
    const known = peers.get(key)
    if (known !== undefined || peers.size >= mostPeers) return known
    const made = door.connection(server, limitMs).then((each) => ({
      pool: createPool(each),
      breaker: createBreaker(now),
    }))
    peers.set(key, made)
    made.catch(() => peers.delete(key))
    return made
  }

  /** Values written into the statement, or left to the client once it is known that all are there. */
  function withParameters(
    statement: Statement,
    connection: C,
    values: readonly ByteString[] | undefined,
  ): Statement {
    if (values === undefined || statement.is === 'refused') return statement
    const rules = door.rules(connection)
    if (values.some((value) => value.includes('\0')))
      return { is: 'refused', message: `${rules.type}: a parameter cannot hold a NUL byte` }
    if (door.literal !== undefined) return bindAsLiterals(statement.sql, values, rules, door.literal)
    const missing = placeholders(statement.sql, rules).find(({ index }) => values[index] === undefined)
    return missing === undefined ? statement : missingParameter(missing.index, rules)
  }

  async function ask(
    server: ServerItem,
    query: Text,
    limitMs: number,
    context: Context,
    parameters: readonly ByteString[] | undefined,
  ): Promise<Asked> {
    const peer = await peerOf(server, limitMs, () => context.ports.now())
    if (peer === undefined) return { is: 'next', message: `${door.shortName}: too many different servers` }
    const refusal = peer.breaker.refuses()
    if (refusal !== undefined) return { is: 'next', message: refusal }
    let connected = false
    try {
      return await peer.pool.with(async (connection) => {
        connected = true
        const statement = withParameters(safeStatement(query, door.rules(connection)), connection, parameters)
        if (statement.is === 'refused')
          return { is: 'end', result: { is: 'defer', message: statement.message } }
        const text = decodeUtf8(statement.sql)
        // The client libraries send UTF-8; anything else would reach the server changed.
        if (Buffer.byteLength(text, 'utf8') !== statement.sql.length || !sameBytes(text, statement.sql)) {
          return { is: 'end', result: { is: 'defer', message: `${door.shortName}: the query is not UTF-8` } }
        }
        try {
          const answer = await door.run(
            connection,
            text,
            limitMs,
            door.literal ? undefined : parameters?.map(decodeUtf8),
          )
          peer.breaker.succeeded()
          return { is: 'end', result: resultOf(answer) }
        } catch (error) {
          if (!(error instanceof QueryFailed)) throw error
          peer.breaker.succeeded()
          const message = `${door.shortName}: query failed: ${error.message}`
          return { is: 'end', result: { is: 'defer', message } }
        }
      }, limitMs)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const message = connected
        ? `${door.shortName}: query failed: ${why}`
        : `${door.shortName} connection failed: ${why}`
      peer.breaker.failed(message)
      return { is: 'next', message }
    }
  }

  return {
    async find(query, options, configured, context, parameters) {
      const servers = serversFor(query, options, configured, door.names, context)
      if (servers.is === 'wrong') return { is: 'defer', message: servers.message }
      const limitMs = durationOption(options, 'timeout', 5_000)
      const values = parameters?.map(textOf)
      let message = ''
      for (const server of servers.servers) {
        const asked = await ask(server, servers.query, limitMs, context, values)
        if (asked.is === 'end') return asked.result
        message = asked.message
      }
      return { is: 'defer', message }
    },
    close() {
      for (const peer of peers.values()) void peer.then(({ pool }) => pool.close())
      peers.clear()
    },
  }
}

type Asked =
  | { readonly is: 'end'; readonly result: LookupResult }
  /** The server could not be asked: try the next. */
  | { readonly is: 'next'; readonly message: string }

function sameBytes(text: string, bytes: ByteString): boolean {
  return Buffer.from(text, 'utf8').equals(toBytes(bytes))
}

function resultOf({ rows, affected }: SqlAnswer): LookupResult {
  if (rows !== undefined)
    return rows.rows.length === 0 ? { is: 'none' } : { is: 'found', data: showRows(rows) }
  return affected === undefined ? { is: 'none' } : { is: 'found', data: String(affected), keep: false }
}
