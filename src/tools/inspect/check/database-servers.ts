/** Redis lookups with nowhere to ask. Source: requirement R1. */
import type { Check } from './subject.ts'
import { walk } from './walk.ts'

const serverOptions: Readonly<Record<string, 'redis_servers' | 'pgsql_servers' | 'mysql_servers'>> = {
  redis: 'redis_servers',
  pgsql: 'pgsql_servers',
  mysql: 'mysql_servers',
}

export const databaseServers: Check = {
  name: 'database-servers',
  doc: 'Lookups in a database whose servers are not named.',
  run({ configuration, texts }, report) {
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
