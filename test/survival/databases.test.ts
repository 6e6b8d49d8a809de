/**
 * A Redis, a PostgreSQL, a MariaDB that hang or are dead: the recipient gets 451 within the time limit, others are served as
 * ever, and all is as before once the server answers again, without a restart.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Database,
  fetchMariadb,
  fetchPostgres,
  fetchRedis,
  startMariadb,
  startPostgres,
  startRedis,
} from '../support/databases.ts'
import { startGate } from '../support/gate.ts'
import { startServer, temporaryFolder, until } from '../support/server.ts'
import { connectSmtp } from '../support/smtp-client.ts'

const root = process.getuid?.() === 0
const kinds = [
  {
    name: 'redis',
    fetch: fetchRedis,
    start: startRedis,
    option: (port: number) => `redis_servers = <; 127.0.0.1:${port}//`,
    lookup: '${lookup redis{GET ${quote_redis:$local_part}}{yes}{yes}}',
  },
  {
    name: 'pgsql',
    fetch: fetchPostgres,
    start: startPostgres,
    option: (port: number) => `pgsql_servers = <; 127.0.0.1:${port}/postgres/mail/secret`,
    lookup: "${lookup pgsql{select '${quote_pgsql:$local_part}'}{yes}{yes}}",
  },
  {
    name: 'mysql',
    fetch: fetchMariadb,
    start: startMariadb,
    option: (port: number) => `mysql_servers = <; 127.0.0.1:${port}/mail/mail/secret`,
    lookup: "${lookup mysql{select '${quote_mysql:$local_part}'}{yes}{yes}}",
  },
] as const

const sessions = 20
/** The lookup's own limit is five seconds; the rest is for a busy machine. */
const longestMs = 30_000
/** Someone whose recipient needs no lookup. */
const plainMs = 3000

for (const kind of kinds) {
  test(`${kind.name} that hangs or is dead: 451 for those who need it, others are served, and it is used again`, {
    skip: root ? false : 'the programs are started as nobody',
    timeout: 240_000,
  }, async (t) => {
    const program = kind.fetch()
    if ('missing' in program) return t.skip(program.missing)
    const folder = temporaryFolder(`survival-${kind.name}`)
    const database: Database = await kind.start(program)
    const gate = await startGate(database.port)
    const server = await startServer({
      folder: folder.path,
      configuration: `primary_hostname = mx.example
host_lookup =
smtp_accept_max = 0
smtp_accept_max_per_host = 0
${kind.option(gate.port)}
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept local_parts = plain
  accept condition = ${kind.lookup}
  deny
`,
    })
    let asked = 0
    const ask = async (count: number): Promise<{ codes: number[]; slowestMs: number }> => {
      const from = performance.now()
      const codes = await Promise.all(
        Array.from({ length: count }, async () => {
          const client = await connectSmtp(server.port, '127.0.0.1', 60_000)
          await client.say('EHLO client.example')
          await client.say('MAIL FROM:<a@client.example>')
          // No answer of before will do.
          const { code } = await client.say(`RCPT TO:<u${asked++}@d.example>`)
          client.end()
          return code
        }),
      )
      return { codes: [...new Set(codes)], slowestMs: performance.now() - from }
    }
    const plain = async (): Promise<number> => {
      const from = performance.now()
      const client = await connectSmtp(server.port)
      await client.say('EHLO client.example')
      await client.say('MAIL FROM:<a@client.example>')
      assert.equal((await client.say('RCPT TO:<plain@d.example>')).code, 250)
      client.end()
      return performance.now() - from
    }
    try {
      assert.deepEqual((await ask(sessions)).codes, [250], server.log())
      for (const trouble of ['held', 'shut'] as const) {
        await gate.set(trouble)
        const troubled = ask(sessions)
        const beside = await plain()
        const { codes, slowestMs } = await troubled
        t.diagnostic(`${trouble}: 451 after ${slowestMs.toFixed(0)} ms; beside it ${beside.toFixed(0)} ms`)
        assert.deepEqual(codes, [451], server.log())
        assert.ok(slowestMs < longestMs, `${slowestMs.toFixed(0)} ms`)
        assert.ok(beside < plainMs, `${beside.toFixed(0)} ms beside it`)
        await gate.set('open')
        const again = await until(async () => ((await ask(1)).codes[0] === 250 ? true : undefined), 60_000)
        assert.ok(again, `used again after it was ${trouble}`)
        assert.deepEqual((await ask(sessions)).codes, [250])
      }
      assert.equal(server.log('panic').replaceAll(/^.*(?:connection|failed|failures|reply).*\n/gim, ''), '')
    } finally {
      await server.stop()
      await gate.close()
      await database.stop()
      folder.remove()
    }
  })
}
