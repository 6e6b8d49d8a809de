import assert from 'node:assert/strict'
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
import {
  atEnd,
  compose,
  dns,
  forward,
  logged,
  mail,
  restart,
  shell,
  typeAndCompare,
  type Walk,
} from '../world.ts'

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
    // As after `apt install redis-tools`.
    symlinkSync(wrapper(redis.root, 'usr/bin/redis-cli'), '/usr/local/bin/redis-cli')

    const servers = page.take('redis_servers', 'hide pgsql_servers', 'hide mysql_servers')
    const typed = page.take('redis-cli', 'nil=fail')
    const [lists = '', acl = ''] = page
      .take('hostlist relay_from_ips', 'domainlist virtual_domains')
      .split('\n\n')
    const [refused = '', explained = ''] = page.take('rejected RCPT', 'postern explain').split('\n\n')
    const away = page.take('temporarily rejected', 'REDIS connection failed')
    const bound = page.take('lookup pgsql,params').trim()
    const parts = [
      { main: servers },
      { main: `${lists}\nacl_smtp_rcpt = check\nhost_lookup =\n`, acl },
      { routers: `users:\n  driver = redirect\n  address_data = ${bound}\n  data = :blackhole:\n` },
    ] as const
    await restart(...parts)
    await typeAndCompare(typed, { status: 0 })
    assert.match(compose(...parts), /address_data/)
    assert.equal((await mail({ to: 'u@virtual.example', client: '192.0.2.9' })).code, 250)
    assert.equal((await mail({ to: 'u@elsewhere.example', client: '192.0.2.9' })).code, 550)
    assert.equal((await mail({ to: 'u@elsewhere.example', client: '192.0.2.10' })).code, 250)
    const asked = async (text: string): Promise<string> => (await shell(`exim -be '${text}'`)).out.trim()
    assert.equal(await asked('${lookup mysql{SELECT home FROM users WHERE name = "joe"}}'), '/home/joe')
    assert.equal(await asked(bound.replace('$local_part', "o'\\''neil")), '/home/o')
    assert.equal(await asked('${lookup redis,servers=redis.example.org::6380//secret {PING}}'), 'PONG')
    const spam = { from: 'x@spammer.example', to: 'u@virtual.example', helo: 'c', client: '192.0.2.9' }
    assert.equal((await mail(spam)).code, 550)
    await logged(refused)
    await typeAndCompare(explained)
    await Promise.all([plain.stop(), other.stop()])
    assert.equal((await mail({ ...spam, from: 'a@b.example' })).code, 451)
    await logged(away)
  },
}
