/** Database servers that are not named, or so that nothing can be asked of them. Source: requirements R1, R2. */
import { parseIp } from '../../../base/ip.ts'
import type { ByteString } from '../../../base/text.ts'
import { joinUrls, readServer } from '../../../language/lookups/redis-servers.ts'
import { mysqlNames, pgsqlNames, readItem, type ServerNames } from '../../../language/lookups/sql-servers.ts'
import type { Configuration } from '../../../language/config/configuration.ts'
import type { Report } from '../../../base/diagnostic.ts'
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

const serverOptions: Readonly<Record<string, 'redis_servers' | 'pgsql_servers' | 'mysql_servers'>> = {
  redis: 'redis_servers',
  pgsql: 'pgsql_servers',
  mysql: 'mysql_servers',
}

export const databaseServers: Check = {
  name: 'database-servers',
  doc: 'Lookups in a database whose servers are not named, and items that name none.',
  run({ configuration, texts }, report) {
    malformed(configuration, report)
    const told = new Set<string>()
    for (const { text, tree } of texts) {
      if (tree === undefined) continue
      walk(tree, {
        node(node) {
          if (node.kind !== 'item' || node.name !== 'lookup') return
          const word = node.parts.word ?? ''
          const type = /^\w+/.exec(word)?.[0] ?? ''
          const option = serverOptions[type]
          if (option === undefined || told.has(type) || configuration.main[option] !== undefined) return
          const query = node.parts.arguments[0]?.nodes[0]
          const own =
            /\bservers\s*=/.test(word) || (query?.kind === 'text' && /^\s*servers\s*=/.test(query.text))
          if (own) return
          told.add(type)
          report({
            code: 'servers-missing',
            severity: 'warning',
            message: `no ${type} servers defined (${option} option): this lookup always defers`,
            at: text.span(node.start, node.end),
            help: `set ${option}, or name the server in the lookup: \${lookup ${type},servers=... {...}}`,
          })
        },
      })
    }
  },
}

interface Mistake {
  readonly message: string
  readonly help: string
}

function malformed({ main, mainSetAt }: Configuration, report: Report): void {
  const lists = {
    redis_servers: () => joinUrls(main.redis_servers ?? []).map(redisMistake),
    mysql_servers: () => (main.mysql_servers ?? []).map((item) => sqlMistake(item, mysqlNames)),
    pgsql_servers: () => (main.pgsql_servers ?? []).map((item) => sqlMistake(item, pgsqlNames)),
  }
  for (const [option, mistakes] of Object.entries(lists)) {
    const at = mainSetAt.get(option)
    if (at === undefined) continue
    const first = mistakes().find((mistake) => mistake !== undefined)
    if (first !== undefined) report({ code: 'servers-malformed', severity: 'warning', at, ...first })
  }
}

function redisMistake(item: ByteString): Mistake | undefined {
  const server = readServer(item)
  if ('message' in server)
    return {
      message: server.message,
      help: 'an item is host/database/password, with both slashes; in a list separated by colons the colon before a port is doubled',
    }
  const { place, password, database } = server
  if ('host' in place && place.host.includes(':') && parseIp(place.host) === undefined)
    return {
      message: `not an IPv6 address: ${place.host}`,
      help: 'in a list separated by colons each colon of an address is doubled; another separator is simpler, as in "<; [::1]:6380/0/"',
    }
  // The examples of 2014 have a remark behind the last slash.
  if (password !== undefined && /^ *- /.test(password))
    return {
      message: `the password of database ${database} begins with "- "`,
      help: 'all that follows the last slash is the password: leave the remark out',
    }
  return undefined
}

function sqlMistake(item: ByteString, names: ServerNames): Mistake | undefined {
  const read = readItem(item, names)
  if (!('message' in read)) return undefined
  return {
    message: read.message,
    help: 'an item is host/database/user/password; in a list separated by colons the colon before a port is doubled',
  }
}
