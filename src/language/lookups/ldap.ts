/** Lookups in LDAP directories. The one file that knows the package `ldapts`. Source: Exim manual, "More about LDAP". */
import { connect } from 'node:net'
import type { Client, Entry } from 'ldapts'
import { decodeUtf8, encodeUtf8, fromBytes, textOf, type ByteString, type Text } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { createBreaker, type Breaker } from './breaker.ts'
import { joinValues, readLdapQuery, showAttribute, unescaped, type LdapQuery } from './ldap-query.ts'
import { ldapTls, type LdapTls } from './ldap-tls.ts'
import { createPool, type Pool } from './pool.ts'
import { durationOption, type LookupOptions, type QueryType } from './types.ts'
import { within } from './within.ts'

type Kind = 'ldap' | 'ldapdn' | 'ldapm' | 'ldapauth'

interface Connection {
  readonly client: Client
  /** As whom it is bound: user and password. */
  bound: string | undefined
}

interface Peer {
  readonly pool: Pool<Connection>
  readonly breaker: Breaker
}

interface Server {
  readonly url: string
  /** Of a Unix-domain socket. */
  readonly path: string | undefined
  /** As messages name it. */
  readonly name: string
}

/** Most servers that connections are kept to. */
const mostPeers = 64
/** Most entries of one answer. */
const mostEntries = 10_000

/** Thrown when the server answered: another one need not be asked. */
class Answered extends Error {}

/** The four types share their connections. */
export function createLdapTypes(): readonly QueryType[] {
  const peers = new Map<string, Peer>()
  const find = (kind: Kind) => (query: Text, options: LookupOptions, context: Context) =>
    findIn(kind, query, options, context, peers)
  const row = (name: Kind, doc: string): QueryType => ({
    name,
    doc,
    since: '0.1',
    style: 'query',
    find: find(name),
  })
  return [
    row('ldap', 'Asks an LDAP directory for one entry.'),
    row(
      'ldapauth',
      'Tells whether an LDAP server takes a name and password; for the condition of that name.',
    ),
    row('ldapdn', 'Asks an LDAP directory for the name of one entry.'),
    {
      ...row('ldapm', 'Asks an LDAP directory for entries.'),
      close() {
        for (const { pool } of peers.values()) pool.close()
        peers.clear()
      },
    },
  ]
}

async function findIn(
  kind: Kind,
  text: Text,
  options: LookupOptions,
  context: Context,
  peers: Map<string, Peer>,
): Promise<LookupResult> {
  // As all lookups of an empty key.
  if (textOf(text) === '') return { is: 'none' }
  const query = readLdapQuery(text)
  if ('problem' in query) return defer(query.problem)
  if (kind === 'ldapauth') {
    const { settings } = query
    if (settings.get('USER') === undefined || settings.get('PASS') === undefined)
      return { is: 'failure', message: 'ldapauth lookups must specify the username and password' }
    // To most servers an empty password is no attempt to log in: it would succeed.
    if (settings.get('PASS') === '') return { is: 'none' }
  }
  const tls = ldapTls(context)
  if ('problem' in tls) return defer(tls.problem)
  const seconds = Number(query.settings.get('NETTIME') ?? query.settings.get('CONNECT') ?? 0)
  const limitMs = seconds > 0 ? Math.min(seconds, 60) * 1_000 : durationOption(options, 'timeout', 5_000)
  let problem = 'no LDAP server to ask'
  for (const server of serversOf(query, context)) {
    const peer = peerOf(peers, server, tls, limitMs, context)
    if (peer === undefined) return defer('LDAP: too many different servers')
    const refusal = peer.breaker.refuses()
    if (refusal !== undefined) {
      problem = refusal
      continue
    }
    try {
      const use = async (connection: Connection): Promise<LookupResult> => {
        await bind(connection, query, server, kind)
        return kind === 'ldapauth' ? found('yes') : search(connection.client, query, kind, context)
      }
      // A connection whose answer came too late is closed; opening one has the same limit.
      const result = await within(
        limitMs * 2,
        peer.pool.with((connection) => within(limitMs, use(connection)), limitMs),
      )
      peer.breaker.succeeded()
      return result
    } catch (error) {
      if (error instanceof Answered) {
        peer.breaker.succeeded()
        return error.message === '' ? { is: 'none' } : defer(error.message)
      }
      const why = error instanceof Error ? error.message : String(error)
      problem = why.startsWith('failed to bind')
        ? why
        : `failed to bind the LDAP connection to server ${server.name} - ${why}`
      peer.breaker.failed(problem)
    }
  }
  return defer(problem)
}

function defer(message: string): LookupResult {
  return { is: 'defer', message }
}

function found(data: ByteString): LookupResult {
  return { is: 'found', data }
}

/** The server of the query, those of SERVERS, or the configured ones; in the end this host. */
function serversOf(query: LdapQuery, { settings, ports }: Context): Server[] {
  const list = query.settings.get('SERVERS')
  const places =
    query.place !== ''
      ? [query.place]
      : list !== undefined
        ? ports.splitList(list).map(textOf)
        : (settings.ldap_default_servers ?? ['localhost'])
  const scheme = query.scheme === 'ldaps' ? 'ldaps' : 'ldap'
  return places.map((place) => {
    if (place.startsWith('/')) return { url: 'ldap://localhost', path: place, name: place }
    const port = /:\d{1,5}$/.test(place) ? '' : scheme === 'ldaps' ? ':636' : ':389'
    return { url: `${scheme}://${place}${port}`, path: undefined, name: `${place}${port}` }
  })
}

function peerOf(
  peers: Map<string, Peer>,
  server: Server,
  tls: LdapTls,
  limitMs: number,
  context: Context,
): Peer | undefined {
  const key = `${server.path ?? server.url} ${tls.key}`
  const known = peers.get(key)
  if (known !== undefined || peers.size >= mostPeers) return known
  const peer: Peer = {
    breaker: createBreaker(() => context.ports.now()),
    pool: createPool<Connection>({
      open: () => open(server, tls, limitMs),
      close: ({ client }) => void client.unbind().catch(() => undefined),
      usable: ({ client }) => client.isConnected,
      // Idle connections are closed after a minute; ldapts shows no socket that could be let go.
      hold: () => undefined,
    }),
  }
  peers.set(key, peer)
  return peer
}

async function open(server: Server, tls: LdapTls, limitMs: number): Promise<Connection> {
  const { Client: LdapClient } = await import('ldapts')
  const { path } = server
  const client = new LdapClient({
    url: server.url,
    timeout: limitMs,
    connectTimeout: limitMs,
    ...(server.url.startsWith('ldaps:') ? { tlsOptions: tls.options } : {}),
    createConnection: (port?: unknown, host?: unknown) => {
      const socket =
        path === undefined ? connect({ port: Number(port), host: String(host) }) : connect({ path })
      // An idle connection does not keep the process alive; a query has its timer.
      socket.unref()
      return socket
    },
  })
  // Encryption of a connection within the machine gives nothing; Exim does without as well.
  if (tls.start && path === undefined && !server.url.startsWith('ldaps:')) await client.startTLS(tls.options)
  return { client, bound: undefined }
}

/** Connections are bound anew when another name is asked for. */
async function bind(connection: Connection, query: LdapQuery, server: Server, kind: Kind): Promise<void> {
  const user = unescaped(query.settings.get('USER') ?? '') ?? query.settings.get('USER') ?? ''
  const password = query.settings.get('PASS') ?? ''
  const identity = JSON.stringify([user, password])
  if (connection.bound === identity && kind !== 'ldapauth') return
  connection.bound = undefined
  try {
    await connection.client.bind(decodeUtf8(user), decodeUtf8(password))
    connection.bound = kind === 'ldapauth' ? undefined : identity
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    // Invalid credentials, and what servers say of accounts that may not log in.
    if (kind === 'ldapauth' && code === 49) throw new Answered('')
    const text = `failed to bind the LDAP connection to server ${server.name} - LDAP error ${code}: ${sentences[code] ?? messageOf(error)}`
    if (kind === 'ldapauth') throw new Answered(text)
    throw new Error(text, { cause: error })
  }
}

const sentences: Readonly<Record<number, string>> = { 34: 'Invalid DN syntax', 49: 'Invalid credentials' }

/** The result code of RFC 4511, when it was an answer. */
function codeOf(error: unknown): number | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'number' ? code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function search(
  client: Client,
  query: LdapQuery,
  kind: Kind,
  { variables }: Context,
): Promise<LookupResult> {
  const size = Number(query.settings.get('SIZE') ?? 0)
  const time = Number(query.settings.get('TIME') ?? 0)
  const attributes = query.attributes.map(decodeUtf8)
  let entries: Entry[]
  try {
    const result = await client.search(decodeUtf8(query.base), {
      scope: query.scope,
      filter: decodeUtf8(query.filter),
      attributes,
      explicitBufferAttributes: attributes,
      timeLimit: time,
      sizeLimit: size > 0 ? Math.min(size, mostEntries) : mostEntries,
    })
    entries = result.searchEntries
  } catch (error) {
    const code = codeOf(error)
    // No such object, invalid DN: RFC 4511 section 4.1.9. What is no name names nothing.
    if (code === 32 || code === 34) throw new Answered('')
    if (code !== undefined) throw new Answered(`ldap_search failed: ${code}, ${messageOf(error)}`)
    // ldapts reads the filter before it asks.
    if (client.isConnected && !/time/i.test(messageOf(error)))
      throw new Answered('ldap_search failed: -7, Bad search filter')
    throw error
  }
  const taken = entries.slice(0, mostEntries)
  if (taken.length > 1 && kind !== 'ldapm')
    throw new Answered(
      `LDAP search: more than one entry (${taken.length}) was returned (filter not specific enough?)`,
    )
  const last = taken.at(-1)
  if (last !== undefined) variables.set('ldap_dn', encodeUtf8(last.dn))
  if (kind === 'ldapdn') {
    const [first] = taken
    return first === undefined ? { is: 'none' } : found(encodeUtf8(first.dn))
  }
  const shown = taken.map((entry) => show(entry, query.attributes.length === 1))
  const filled = shown.filter((text) => text !== '')
  return filled.length === 0 ? { is: 'none' } : found(filled.join('\n'))
}

/** With one wanted attribute its values alone; otherwise names and quoted values. */
function show(entry: Entry, single: boolean): ByteString {
  const columns = Object.entries(entry)
    .filter(([name]) => name !== 'dn')
    .map(([name, value]) => ({
      name: encodeUtf8(name),
      values: (Array.isArray(value) ? value : [value]).map((each) =>
        typeof each === 'string' ? encodeUtf8(each) : fromBytes(each),
      ),
    }))
    .filter(({ values }) => values.length > 0)
  if (single) return columns.map(({ values }) => joinValues(values)).join(',')
  return columns.map(({ name, values }) => showAttribute(name, values)).join(' ')
}
