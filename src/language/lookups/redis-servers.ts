/** Items of `redis_servers`: `host/db/password`, `(socket)/db/password`, `redis://`, `rediss://`, `redis+sentinel://`. */
import { decodeUtf8, encodeUtf8, type ByteString } from '../../base/text.ts'
import { readItem, type ServerNames } from './sql-servers.ts'

/** Files for TLS, from `?ca=/path&cert=/path&key=/path` of a rediss URL; without `ca` the system's authorities count. */
export type RedisTls = Readonly<Partial<Record<'ca' | 'cert' | 'key', string>>>

export interface RedisServer {
  readonly place:
    | { readonly path: string }
    | { readonly host: string; readonly port: number; readonly tls: RedisTls | undefined }
    /** The master of this name, as one of the sentinels tells. */
    | {
        readonly sentinels: readonly { readonly host: string; readonly port: number }[]
        readonly master: string
      }
  readonly database: number
  readonly user: ByteString | undefined
  readonly password: ByteString | undefined
}

export const redisNames: ServerNames = {
  product: 'Redis',
  data: 'Redis',
  option: 'redis_servers',
  slashes: 2,
}

export function readServer(item: ByteString): RedisServer | { readonly message: string } {
  if (/^(?:rediss?|redis\+sentinel):\/\//.test(item)) return readUrl(item)
  const read = readItem(item, redisNames)
  if ('message' in read) return read
  const [host = '', database = '', password = ''] = read.parts
  const number = databaseNumber(database)
  if (number === undefined) return { message: `invalid Redis database number: ${database}` }
  const socket = /^\((.*)\)$/.exec(host)
  return {
    place: socket === null ? { ...hostAndPort(host), tls: undefined } : { path: socket[1] ?? '' },
    database: number,
    user: undefined,
    password: password === '' ? undefined : password,
  }
}

function databaseNumber(text: string): number | undefined {
  return /^\d{0,9}$/.test(text) ? Number(text) : undefined
}

function hostAndPort(
  text: string,
  otherwise: number = 6379,
): { readonly host: string; readonly port: number } {
  const match = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text)
  // An IPv6 address without brackets has no port.
  if (match === null) return { host: text, port: otherwise }
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3] ?? otherwise) }
}

/** The word before the hosts may be `user:password@` or `:password@`. */
function readUrl(item: ByteString): RedisServer | { readonly message: string } {
  const match = /^([a-z+]+):\/\/(?:([^@/]*)@)?([^/?]*)((?:\/[^?]*)?)(?:\?(.*))?$/.exec(item)
  if (match === null) return { message: 'malformed Redis URL in redis_servers' }
  const [, scheme = '', account = '', hosts = '', path = '', words = ''] = match
  const colon = account.indexOf(':')
  const user = plain(colon < 0 ? account : account.slice(0, colon))
  const password = colon < 0 ? '' : plain(account.slice(colon + 1))
  const sentinel = scheme === 'redis+sentinel'
  const [, first = '', second = ''] = path.split('/')
  const number = databaseNumber(sentinel ? second : first)
  if (user === undefined || password === undefined) return { message: 'malformed Redis URL in redis_servers' }
  if (number === undefined) return { message: `invalid Redis database number: ${sentinel ? second : first}` }
  if (sentinel && first === '') return { message: 'a redis+sentinel URL needs the name of the master' }
  const tls = tlsFiles(words)
  if (tls === undefined)
    return { message: 'malformed Redis URL in redis_servers: only ca, cert and key may follow "?"' }
  return {
    place: sentinel
      ? { sentinels: hosts.split(',').map((each) => hostAndPort(each, 26_379)), master: first }
      : { ...hostAndPort(hosts), tls: scheme === 'rediss' ? tls : undefined },
    database: number,
    user: user === '' ? undefined : user,
    password: password === '' ? undefined : password,
  }
}

function tlsFiles(words: string): RedisTls | undefined {
  const files: Partial<Record<'ca' | 'cert' | 'key', string>> = {}
  for (const word of words === '' ? [] : words.split('&')) {
    const [name, file = ''] = word.split('=', 2)
    if ((name !== 'ca' && name !== 'cert' && name !== 'key') || !file.startsWith('/')) return undefined
    files[name] = file
  }
  return files
}

/** Percent escapes undone; undefined when they are malformed. */
function plain(text: ByteString): ByteString | undefined {
  try {
    return encodeUtf8(decodeURIComponent(decodeUtf8(text)))
  } catch {
    return undefined
  }
}

/**
 * Puts URLs together again that were written with single colons in a list separated by colons:
 * `redis`, `//host`, `6379/0` becomes `redis://host:6379/0`.
 */
export function joinUrls(items: readonly ByteString[]): ByteString[] {
  const joined: ByteString[] = []
  for (const item of items) {
    const last = joined.at(-1)
    const scheme = last !== undefined && /^(?:rediss?|redis\+sentinel)$/.test(last) && item.startsWith('//')
    const account = last !== undefined && /^[a-z+]+:\/\/[^@/:]*$/.test(last) && /^[^@/]+@/.test(item)
    const port =
      last !== undefined &&
      /^[a-z+]+:\/\/(?:[^/]*@)?(?:[^/:]+|\[[^\]]*\])$|^[a-z+]+:\/\/.*,[^/:,]+$/.test(last)
    if (last !== undefined && (scheme || account || (port && /^\d{1,5}(?:[/,].*)?$/.test(item))))
      joined[joined.length - 1] = `${last}:${item}`
    else joined.push(item)
  }
  return joined
}
