/** Lists of database servers. Source: Exim manual, "Specifying the server in the query"; texts observed of Exim 4.96. */
import { slice, textOf, type ByteString, type Text } from '../../base/text.ts'
import type { Context } from '../../ports.ts'
import type { LookupOptions } from './types.ts'

/** How a type of server is called in messages and options. */
export interface ServerNames {
  /** `MySQL`: in "server not found" and the like. */
  readonly product: string
  /** `pgSQL`: in messages about the data of a server. */
  readonly data: string
  /** `mysql_servers`. */
  readonly option: string
  /** How many slashes stand in an item: host/database/user/password has 3. */
  readonly slashes: number
}

export const mysqlNames: ServerNames = {
  product: 'MySQL',
  data: 'MySQL',
  option: 'mysql_servers',
  slashes: 3,
}

export const pgsqlNames: ServerNames = {
  product: 'PostgreSQL',
  data: 'pgSQL',
  option: 'pgsql_servers',
  slashes: 3,
}

/** The parts of an item, host first. */
export type ServerItem = readonly ByteString[]

export type Servers =
  | { readonly is: 'servers'; readonly servers: readonly ServerItem[]; readonly query: Text }
  | { readonly is: 'wrong'; readonly message: string }

/** The servers to try in order, and the query without a `servers=...;` before it. */
export function serversFor(
  query: Text,
  options: LookupOptions,
  configured: readonly ByteString[] | undefined,
  names: ServerNames,
  context: Context,
): Servers {
  let rest = query
  let chosen = options.get('servers')
  const old = /^\s*servers\s*=/.exec(textOf(query))
  if (old !== null) {
    const end = textOf(query).indexOf(';')
    if (end < 0) return wrong(`missing ; after "servers=" in ${names.product} lookup`)
    const list = slice(query, old[0].length, end)
    // A server that a stranger names is none of ours.
    if (typeof slice(query, 0, end + 1) !== 'string')
      return wrong(`tainted server list before the query: write \${lookup ...,servers=... {...}}`)
    chosen = textOf(list).trim()
    rest = slice(query, end + 1)
  }
  if (chosen === undefined && configured === undefined)
    return wrong(`no ${names.product} servers defined (${names.option} option)`)
  const servers: ServerItem[] = []
  for (const item of chosen === undefined
    ? (configured ?? [])
    : context.ports.splitList(chosen).map(textOf)) {
    const read =
      item.includes('/') || chosen === undefined ? readItem(item, names) : named(item, configured, names)
    if ('message' in read) return wrong(read.message)
    servers.push(read.parts)
  }
  if (servers.length === 0) return wrong(`no ${names.product} servers defined (${names.option} option)`)
  return { is: 'servers', servers, query: rest }
}

function wrong(message: string): Servers {
  return { is: 'wrong', message }
}

type ReadItem = { readonly parts: ServerItem } | { readonly message: string }

/** Takes an item apart from its end, as Exim does. */
export function readItem(item: ByteString, names: ServerNames): ReadItem {
  // A URL, which redis lookups take whole.
  if (/^[a-z+]+:\/\//.test(item)) return { parts: [item] }
  // A socket's path in parentheses holds slashes of its own.
  const socketEnd = /^[^/(]*\([^)]*\)/.exec(item)?.[0].length ?? 0
  const parts: ByteString[] = []
  let rest = item
  for (let i = 0; i < names.slashes; i++) {
    const slash = rest.lastIndexOf('/')
    if (slash < 0 || slash < socketEnd) return { message: `incomplete ${names.data} server data: ${rest}` }
    parts.unshift(rest.slice(slash + 1))
    rest = rest.slice(0, slash)
  }
  if (rest.includes('/', socketEnd))
    return { message: `unexpected slash in ${names.data} server hostname: ${rest}` }
  return { parts: [rest, ...parts] }
}

/** A bare host name stands for the configured server of that name. */
function named(
  host: ByteString,
  configured: readonly ByteString[] | undefined,
  names: ServerNames,
): ReadItem {
  for (const item of configured ?? []) {
    const read = readItem(item, names)
    if ('parts' in read && read.parts[0] === host) return read
  }
  return { message: `${names.product} server "${host}" not found in ${names.option}` }
}
