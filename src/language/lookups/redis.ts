/** Lookups in Redis. Source: Exim manual, "More about Redis", "Specifying the server in the query". */
import { Recent } from '../../base/recent.ts'
import { textOf, type ByteString, type Text } from '../../base/text.ts'
import type { Context, LookupResult } from '../../ports.ts'
import { createRedisClients, type RedisAnswer, type RedisClients } from './redis-client.ts'
import { readCommand } from './redis-command.ts'
import { mapReply, type ReplyOptions } from './redis-reply.ts'
import { joinUrls, readServer, redisNames, type RedisServer } from './redis-servers.ts'
import { serversFor } from './sql-servers.ts'
import { durationOption, type LookupOptions, type QueryType } from './types.ts'

/** Most times a cluster may send us on for one command. */
const mostRedirections = 5

export function createRedis(): QueryType {
  let clients: RedisClients | undefined
  // What `servers=` and the option name, read once. A configuration has few such lists.
  const read = new Recent<string, ServerList>(100)
  return {
    name: 'redis',
    doc: 'Sends a command to a Redis server.',
    since: '0.1',
    style: 'query',
    find(query, options, context, parameters) {
      clients ??= createRedisClients(() => context.ports.now(), context.ports.files)
      return find(query, options, context, clients, read, parameters)
    },
    close: () => clients?.close(),
  }
}

async function find(
  query: Text,
  options: LookupOptions,
  context: Context,
  clients: RedisClients,
  read: Recent<string, ServerList>,
  parameters: readonly Text[] | undefined,
): Promise<LookupResult> {
  const chosen = serversOf(query, options, context, read)
  if ('message' in chosen) return defer(chosen.message)
  const command = readCommand(chosen.query, parameters?.map(textOf))
  if (command.is === 'wrong') return defer(command.message)
  const reading = replyOptions(options)
  if ('message' in reading) return defer(reading.message)
  const limitMs = durationOption(options, 'timeout', 5_000)
  let problem = ''
  for (const server of chosen.servers) {
    const answer = await askCluster(clients, server, command.name, command.args, limitMs)
    if (answer.is === 'reply') return mapReply(answer.reply, reading)
    problem = answer.is === 'error' ? `REDIS: lookup result failed: ${answer.message}` : answer.message
    // A server that answered need not be followed by another, unless it says that it cannot serve just now.
    if (answer.is === 'error' && !elsewhere.test(answer.message)) break
  }
  return defer(problem)
}

interface ServerList {
  readonly configured: readonly ByteString[] | undefined
  readonly servers: readonly RedisServer[]
}

function serversOf(
  query: Text,
  options: LookupOptions,
  context: Context,
  read: Recent<string, ServerList>,
): { readonly servers: readonly RedisServer[]; readonly query: Text } | { readonly message: string } {
  const configured = context.settings.redis_servers
  const before = /^\s*servers\s*=/.test(textOf(query))
  const key = options.get('servers') ?? ''
  const known = before ? undefined : read.get(key)
  if (known !== undefined && known.configured === configured) return { servers: known.servers, query }
  const chosen = serversFor(query, options, configured && joinUrls(configured), redisNames, context)
  if (chosen.is === 'wrong') return chosen
  const servers: RedisServer[] = []
  for (const parts of chosen.servers) {
    const server = readServer(parts.join('/'))
    if ('message' in server) return server
    servers.push(server)
  }
  if (!before) read.set(key, { configured, servers })
  return { servers, query: chosen.query }
}

const elsewhere = /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|MISCONF|NOREPLICAS) /

function defer(message: string): LookupResult {
  return { is: 'defer', message }
}

function replyOptions(options: LookupOptions): ReplyOptions | { readonly message: string } {
  const nil = options.get('nil') ?? 'empty'
  const integers = options.get('int') ?? 'boolean'
  if (nil !== 'empty' && nil !== 'fail') return { message: `REDIS: nil=${nil}: it is "empty" or "fail"` }
  if (integers !== 'boolean' && integers !== 'number')
    return { message: `REDIS: int=${integers}: it is "boolean" or "number"` }
  return { nil, integers }
}

/** Follows MOVED and ASK of a cluster. Differs from Exim, which defers and tries its next server. */
async function askCluster(
  clients: RedisClients,
  first: RedisServer,
  name: ByteString,
  args: readonly ByteString[],
  limitMs: number,
): Promise<RedisAnswer> {
  let server = first
  let asking = false
  for (let i = 0; ; i++) {
    const answer = await clients.ask(server, name, args, limitMs, asking)
    const sentOn = answer.is === 'error' ? /^(MOVED|ASK) \d+ (.*):(\d+)/.exec(answer.message) : null
    if (sentOn === null || i === mostRedirections || 'sentinels' in server.place) return answer
    const [, kind, host = '', port = ''] = sentOn
    // An empty name means the host that answers: Redis Cluster specification, "MOVED Redirection".
    const same = 'host' in server.place ? server.place.host : '127.0.0.1'
    const tls = 'host' in server.place ? server.place.tls : undefined
    server = { ...server, place: { host: host === '' ? same : host, port: Number(port), tls } }
    asking = kind === 'ASK'
  }
}
