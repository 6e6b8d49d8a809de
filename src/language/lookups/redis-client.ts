/** Connections to Redis servers, one a server, shared by all sessions. The one file that knows the package `ioredis`. */
import { toBytes, type ByteString } from '../../base/text.ts'
import type { Redis } from 'ioredis'
import { createBreaker, type Breaker } from './breaker.ts'
import type { Files } from '../../ports.ts'
import type { RedisServer, RedisTls } from './redis-servers.ts'
import { within } from './within.ts'

/** What a server said, or why it could not be asked. */
export type RedisAnswer =
  | { readonly is: 'reply'; readonly reply: unknown }
  /** An error reply: `WRONGTYPE ...`, `MOVED ...`. */
  | { readonly is: 'error'; readonly message: string }
  | { readonly is: 'unreachable'; readonly message: string }

export interface RedisClients {
  /** `asking`: the server takes over the slot, and answers only those who know. */
  ask(
    server: RedisServer,
    name: ByteString,
    args: readonly ByteString[],
    limitMs: number,
    asking?: boolean,
  ): Promise<RedisAnswer>
  close(): void
}

interface Peer {
  connection: Promise<Connected> | undefined
  readonly breaker: Breaker
  pending: number
  /** Commands of this turn are gathered. */
  corked: boolean
}

type Connected = { readonly redis: Redis } | { readonly error: string }

/** Most servers that connections are kept to. */
const mostPeers = 64
/** Most commands under way on one connection. */
const mostPending = 10_000

export function createRedisClients(now: () => number, files: Files): RedisClients {
  const peers = new Map<string, Peer>()
  // The same server object comes again and again: its key need not be made each time.
  const known = new WeakMap<RedisServer, Peer>()

  function peerOf(server: RedisServer): Peer | undefined {
    const same = known.get(server)
    if (same !== undefined) return same
    const key = JSON.stringify(server)
    let peer = peers.get(key)
    if (peer === undefined && peers.size < mostPeers) {
      peer = { connection: undefined, breaker: createBreaker(now), pending: 0, corked: false }
      peers.set(key, peer)
    }
    if (peer !== undefined) known.set(server, peer)
    return peer
  }

  async function use(peer: Peer, server: RedisServer, limitMs: number, again = true): Promise<Connected> {
    const connection = (peer.connection ??= connectTo(server, limitMs, files, () => {
      if (peer.connection === connection) peer.connection = undefined
    }))
    const connected = await connection
    // It is being closed, as after a reply that was none; its end is yet to come.
    if (again && 'redis' in connected && !connected.redis.stream.writable) {
      if (peer.connection === connection) peer.connection = undefined
      return use(peer, server, limitMs, false)
    }
    if ('error' in connected && peer.connection === connection) peer.connection = undefined
    return connected
  }

  return {
    async ask(server, name, args, limitMs, asking = false) {
      const peer = peerOf(server)
      if (peer === undefined) return { is: 'unreachable', message: 'REDIS: too many different servers' }
      if (peer.pending >= mostPending)
        return { is: 'unreachable', message: 'REDIS: too many lookups under way' }
      const refusal = peer.breaker.refuses()
      if (refusal !== undefined) return { is: 'unreachable', message: refusal }
      peer.pending++
      const connected = await use(peer, server, limitMs)
      if ('error' in connected) {
        peer.pending--
        peer.breaker.failed(connected.error)
        return { is: 'unreachable', message: connected.error }
      }
      const { redis } = connected
      const { stream } = redis
      if (peer.pending === 1) stream.ref()
      // Commands of all sessions that ask in this turn go out in one write: a third more of them in bench/redis.ts.
      if (!peer.corked) {
        peer.corked = true
        stream.cork()
        process.nextTick(() => {
          peer.corked = false
          stream.uncork()
        })
      }
      try {
        // Nothing comes between the two on the connection.
        if (asking) redis.call('ASKING').catch(() => undefined)
        const reply = await within(limitMs, redis.callBuffer(name, args.map(argument)))
        peer.breaker.succeeded()
        return { is: 'reply', reply }
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        if (error instanceof Error && error.name === 'ReplyError') {
          peer.breaker.succeeded()
          return { is: 'error', message }
        }
        const text = `REDIS: ${message.replace(/^(Unknown RESP type.*)\. Please report this\.$/, 'no reply of Redis: $1')}`
        peer.breaker.failed(text)
        // A server that hangs: those who wait behind this command need not wait as long.
        if (peer.breaker.refuses() !== undefined) redis.disconnect()
        return { is: 'unreachable', message: text }
      } finally {
        peer.pending--
        if (peer.pending === 0) stream.unref()
      }
    },
    close() {
      for (const peer of peers.values()) {
        void peer.connection?.then((connected) => 'redis' in connected && connected.redis.disconnect())
      }
      peers.clear()
    },
  }
}

/** ASCII is the same bytes as a string, which is written faster. */
function argument(text: ByteString): string | Buffer {
  return /^[\0-\x7f]*$/.test(text) ? text : toBytes(text)
}

/** Connects, gives user and password, and chooses the database. */
async function connectTo(
  server: RedisServer,
  limitMs: number,
  files: Files,
  ended: () => void,
): Promise<Connected> {
  let place = server.place
  if ('sentinels' in place) {
    const master = await masterOf(place.sentinels, place.master, limitMs, files)
    if ('error' in master) return master
    place = { ...master, tls: undefined }
  }
  const opened = await open(place, limitMs, files, ended)
  if ('error' in opened) return opened
  const { redis } = opened
  try {
    if (server.password !== undefined) {
      const user = server.user === undefined ? [] : [toBytes(server.user)]
      await within(limitMs, redis.call('AUTH', [...user, toBytes(server.password)]))
    }
    if (server.database !== 0) await within(limitMs, redis.call('SELECT', [server.database]))
    return opened
  } catch (error) {
    redis.disconnect()
    const why = error instanceof Error ? error.message : String(error)
    // The reply may say why; it never holds the password.
    return { error: `REDIS: login to ${showPlace(place)} failed: ${why}` }
  }
}

type Address =
  | { readonly path: string }
  | { readonly host: string; readonly port: number; readonly tls: RedisTls | undefined }

function showPlace(place: Address): string {
  return 'path' in place ? place.path : `${place.host}:${place.port}`
}

async function open(place: Address, limitMs: number, files: Files, ended: () => void): Promise<Connected> {
  const tls = 'tls' in place && place.tls ? readFiles(place.tls, files) : undefined
  if (tls && 'error' in tls) return tls
  const { Redis } = await import('ioredis')
  const redis = new Redis({
    ...('path' in place
      ? { path: place.path }
      : { host: place.host, port: place.port, ...(tls ? { tls } : {}) }),
    lazyConnect: true,
    connectTimeout: limitMs,
    // The timer of a connection that is over would keep a command line waiting.
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    // A command is never sent twice: it may have been done.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 1,
    // Whether and when to try again is the breaker's decision.
    retryStrategy: () => null,
    enableReadyCheck: false,
    disableClientInfo: true,
    // Replies as Exim knows them; version 3 would begin with HELLO, before the password.
    protocol: 2,
  })
  let problem = 'Connection is closed.'
  redis.on('error', (error: Error) => {
    problem = error.message
  })
  redis.on('end', ended)
  try {
    await within(limitMs, redis.connect())
    return { redis }
  } catch (error) {
    redis.disconnect()
    const own = error instanceof Error && error.message !== 'Connection is closed.' ? error.message : problem
    return { error: `REDIS connection failed: ${showPlace(place)}: ${own}` }
  }
}

/** The contents of the files for TLS. */
function readFiles(
  tls: RedisTls,
  files: Files,
): Partial<Record<'ca' | 'cert' | 'key', string>> | { readonly error: string } {
  const contents: Partial<Record<'ca' | 'cert' | 'key', string>> = {}
  for (const name of ['ca', 'cert', 'key'] as const) {
    const path = tls[name]
    if (path === undefined) continue
    const read = files.read(path, 1024 * 1024)
    if ('error' in read) return { error: `REDIS: cannot read ${path}: ${read.error}` }
    contents[name] = read.bytes
  }
  return contents
}

/** Asks the sentinels in turn where the master is. Source: "Guidelines for Redis clients with support for Redis Sentinel". */
async function masterOf(
  sentinels: readonly { readonly host: string; readonly port: number }[],
  master: string,
  limitMs: number,
  files: Files,
): Promise<{ readonly host: string; readonly port: number } | { readonly error: string }> {
  let problem = 'REDIS: no sentinel'
  for (const sentinel of sentinels) {
    const opened = await open({ ...sentinel, tls: undefined }, limitMs, files, () => undefined)
    if ('error' in opened) {
      problem = opened.error
      continue
    }
    try {
      const reply = await within(limitMs, opened.redis.call('SENTINEL', ['get-master-addr-by-name', master]))
      const [host, port] = Array.isArray(reply) ? reply.map(String) : []
      if (host !== undefined && port !== undefined) return { host, port: Number(port) }
      problem = `REDIS: sentinel ${showPlace({ ...sentinel, tls: undefined })} does not know "${master}"`
    } catch (error) {
      problem = `REDIS: sentinel: ${error instanceof Error ? error.message : String(error)}`
    } finally {
      opened.redis.disconnect()
    }
  }
  return { error: problem }
}
