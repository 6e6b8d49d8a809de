import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { fetchPostgres, startPostgres } from '../../support/databases.ts'
import {
  atEnd,
  boxes,
  logged,
  logs,
  mail,
  restart,
  shell,
  typeAndCompare,
  type Walk,
  write,
} from '../world.ts'

const require = createRequire(import.meta.url)
interface Client {
  connect(): Promise<void>
  query(sql: string): Promise<unknown>
  end(): Promise<void>
}

export const expansions: Walk = {
  needs: [fetchPostgres],
  async walk(page) {
    const [startup = '', code = '', typed = ''] = page.take('perl_startup', 'sub box').split('\n\n')
    write('/etc/exim4/exim.pl', `${code}\n`)
    await restart(boxes, { main: `${startup}\n` })
    await typeAndCompare(typed)

    const [option = '', functions = '', last = ''] = page
      .take('functions_file', 'export function shorten')
      .split('\n\n')
    write('/etc/postern/functions.mjs', `${functions}\n`)
    const uses = last.trim().split('\n')
    assert.equal(uses.length, 2)
    await restart(
      boxes,
      { main: `${option}\nacl_smtp_data = at_data\n` },
      {
        acl: `at_data:\n  ${uses[0]}\n  accept logwrite = SHORT $acl_m_short, FOLDER \${fn{folder}{$sender_address_local_part}}\n`,
      },
      { routers: `other:\n  driver = redirect\n  ${uses[1]}\n  allow_fail\n` },
    )
    await mail({
      from: "O'Neil@b.example",
      to: 'u@here.example',
      text: 'Subject: a subject that is longer than twenty\n\nx',
    })
    await logged('SHORT a subject that is lo, FOLDER eil/in')

    const fetched = fetchPostgres()
    assert.ok(!('missing' in fetched))
    const server = await startPostgres(fetched)
    atEnd(() => server.stop())
    const { Client: PgClient } = require('pg') as { Client: new (options: object) => Client }
    const sql = new PgClient({
      host: '127.0.0.1',
      port: server.port,
      user: 'mail',
      password: 'secret',
      database: 'postgres',
    })
    await sql.connect()
    await sql.query(`create table people (name text, home text); insert into people values ('joe', '/home/joe');
      create view users as select name, home from people where pg_sleep(0.8) is not null`)
    await sql.end()
    const long = page.take('Long pgsql lookup')
    await restart(
      {
        main: `acl_smtp_rcpt = check\nhost_lookup =\nslow_lookup_log = 500\nhide pgsql_servers = 127.0.0.1::${server.port}/postgres/mail/secret\n`,
      },
      {
        acl: "check:\n  warn set acl_m_home = ${lookup pgsql{SELECT home FROM users WHERE name = '${quote_pgsql:$local_part}'}}\n  accept\n",
      },
      { routers: boxes.routers ?? '', transports: boxes.transports ?? '' },
    )
    await mail({ to: 'joe@here.example' })
    await logged(long)

    // The sentences about ${readsocket and the public suffix list, as -be shows them.
    const { all } = await shell("exim -be '${lookup{a.b.example.com}regdom{/srv/suffixes}}'", { cwd: '/' })
    assert.match(all, /./, logs())
  },
}
