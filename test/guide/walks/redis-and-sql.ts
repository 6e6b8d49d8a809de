import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import {
  fetchMariadb,
  fetchPostgres,
  fetchRedis,
  startMariadb,
  startPostgres,
  startRedis,
} from '../../support/databases.ts'
import { wrapper } from '../../support/debian.ts'
import { atEnd, compose, dns, forward, mail, restart, shell, type Walk } from '../world.ts'

const require = createRequire(import.meta.url)
interface Client {
  connect(): Promise<void>
  query(sql: string): Promise<unknown>
  end(): Promise<void>
}

export const redisAndSql: Walk = {
  needs: [fetchRedis, fetchPostgres, fetchMariadb],
  async walk(page) {
    const [redis, postgres, mariadb] = [fetchRedis(), fetchPostgres(), fetchMariadb()]
    assert.ok('root' in redis && 'root' in postgres && 'root' in mariadb)
    await dns({ 'redis.example.org A': [{ type: 'A', data: '127.0.0.1' }] })
    const plain = await startRedis(redis, { port: 6379 })
    const other = await startRedis(redis, { port: 6380, arguments: ['--requirepass', 'secret'] })
    const pg = await startPostgres(postgres)
    const my = await startMariadb(mariadb)
    for (const each of [plain, other, pg, my]) atEnd(() => each.stop())
    await forward(5432, pg.port)
    mkdirSync('/run/mysqld')
    symlinkSync(my.socket, '/run/mysqld/mysqld.sock')
    const { Client: PgClient } = require('pg') as { Client: new (options: object) => Client }
    const admin = { host: '127.0.0.1', port: pg.port, user: 'mail', password: 'secret' }
    const sql = new PgClient({ ...admin, database: 'postgres' })
    await sql.connect()
    await sql.query('create database mail')
    await sql.query("create user reader password 'secret'")
    await sql.end()
    const tables = new PgClient({ ...admin, database: 'mail' })
    await tables.connect()
    await tables.query(
      "create table users (name text, home text); insert into users values ('o''neil', '/home/o'); grant select on users to reader",
    )
    await tables.end()
    const mysql = require('mysql2/promise') as { createConnection(options: object): Promise<Client> }
    const db = await mysql.createConnection({
      host: '127.0.0.1',
      port: my.port,
      user: 'mail',
      password: 'secret',
      database: 'mail',
    })
    await db.query("create user reader@'%' identified by 'secret'")
    await db.query("grant select on mail.* to reader@'%'")
    await db.query('create table users (name text, home text)')
    await db.query("insert into users values ('joe', '/home/joe')")
    await db.end()
    const say = (...words: string[]): void => {
      const done = spawnSync(wrapper(redis.root, 'usr/bin/redis-cli'), ['-p', '6379', '-n', '10', ...words], {
        encoding: 'utf8',
      })
      assert.equal(done.status, 0, done.stderr)
    }
    say('SADD', 'relay_from_ips', '192.0.2.10')
    say('HSET', 'virtual.example', 'domain', 'virtual.example')

    const servers = page.take('redis_servers', 'hide pgsql_servers', 'hide mysql_servers')
    const lists = page.take('hostlist relay_from_ips', 'domainlist virtual_domains')
    const bound = page.take('lookup pgsql,params').trim()
    const parts = [
      { main: servers },
      { main: `${lists}acl_smtp_rcpt = check\nhost_lookup =\n` },
      {
        acl: 'check:\n  accept hosts = +relay_from_ips\n  require message = not ours\n          domains = +virtual_domains\n  accept\n',
      },
      { routers: `users:\n  driver = redirect\n  address_data = ${bound}\n  data = :blackhole:\n` },
    ] as const
    await restart(...parts)
    assert.match(compose(...parts), /address_data/)
    assert.equal((await mail({ to: 'u@virtual.example', client: '192.0.2.9' })).code, 250)
    assert.equal((await mail({ to: 'u@elsewhere.example', client: '192.0.2.9' })).code, 550)
    assert.equal((await mail({ to: 'u@elsewhere.example', client: '192.0.2.10' })).code, 250)
    const asked = async (text: string): Promise<string> => (await shell(`exim -be '${text}'`)).out.trim()
    assert.equal(await asked('${lookup mysql{SELECT home FROM users WHERE name = "joe"}}'), '/home/joe')
    assert.equal(await asked(bound.replace('$local_part', "o'\\''neil")), '/home/o')
    assert.equal(await asked('${lookup redis,servers=redis.example.org::6380//secret {PING}}'), 'PONG')
  },
}
