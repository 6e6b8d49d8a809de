import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createServer as createHttp } from 'node:http'
import { createServer } from 'node:net'
import { chmodSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fetchMariadb, fetchPostgres, startMariadb, startPostgres } from '../../support/databases.ts'
import { until } from '../../support/server.ts'
import { assertShown, lineOf } from '../page.ts'
import {
  atEnd,
  dns,
  forward,
  hostAt,
  logged,
  logs,
  mail,
  readIfThere,
  restart,
  shell,
  type Walk,
  waitMs,
} from '../world.ts'

const require = createRequire(import.meta.url)

/** What the walk uses of the packages `pg` and `mysql2`. */
interface Client {
  connect(): Promise<void>
  query(sql: string): Promise<unknown>
  end(): Promise<void>
  on(event: 'error', listener: () => void): void
}

const routing = {
  main: 'acl_smtp_rcpt = accept\nhost_lookup =\nlocal_interfaces = 127.0.0.1\nlog_selector = -lost_incoming_connection\n',
  routers: `remote:
  driver = manualroute
  route_list = ok.example mx.ok.example ; down.example mx.example ; * mx.example
  self = send
  transport = out
`,
  retry: '* * F,1h,15m\n',
}
const out = (more: string): { transports: string } => ({
  transports: `out:\n  driver = smtp\n  command_timeout = 2s\n${more}`,
})

export const events: Walk = {
  needs: [fetchPostgres, fetchMariadb],
  async walk(page) {
    const a = (data: string) => [{ type: 'A', data }]
    await dns({ 'mx.ok.example A': a('192.0.2.1'), 'mx.example A': a('192.0.2.7') })
    await hostAt('192.0.2.1', { end: () => '250 2.0.0 taken' })
    const logging = 'log_delivery:\n  accept logwrite = EVENT $event_name $event_data $domain\n'
    await restart(routing, out(page.take('event_action')), { acl: logging })
    await mail({ to: 'a@ok.example' })
    await logged('EVENT msg:delivery 250 2.0.0 taken ok.example')

    const [postgres, mariadb] = [fetchPostgres(), fetchMariadb()]
    assert.ok(!('missing' in postgres) && !('missing' in mariadb))
    const pg = await startPostgres(postgres)
    atEnd(() => pg.stop())
    const action = page.take('record_Delivery', 'tpda_delivery_action')
    const { Client: PgClient } = require('pg') as { Client: new (options: object) => Client }
    const sql = new PgClient({
      host: '127.0.0.1',
      port: pg.port,
      user: 'mail',
      password: 'secret',
      database: 'postgres',
    })
    await sql.connect()
    await sql.query(page.take('create function record_Delivery'))
    await restart(
      routing,
      { main: `hide pgsql_servers = 127.0.0.1::${pg.port}/postgres/mail/secret\n` },
      out(action),
    )
    await mail({ from: 's@from.example', to: 'a@ok.example' })
    await logged(page.take('=> a@ok.example'))
    const recorded = await until(async () => {
      const { rows } = (await sql.query('select * from deliveries')) as { rows: readonly object[] }
      return rows[0]
    }, waitMs)
    const [id = ''] =
      /\S+(?= => a@ok\.example R=remote T=out H=mx\.ok\.example \[192\.0\.2\.1\].*\n(?:.*\n)?.*Completed\n$)/.exec(
        logs(),
      ) ?? []
    assert.deepEqual(
      { ...recorded, id: '' },
      {
        sd: 'from.example',
        sl: 's',
        dd: 'ok.example',
        dl: 'a',
        ip: '192.0.2.1',
        host: 'mx.ok.example',
        id: '',
      },
      id,
    )

    const my = await startMariadb(mariadb)
    atEnd(() => my.stop())
    await forward(3306, my.port)
    const columns =
      'msgid,senderlp,senderdom,delivlp,delivdom,delivip,delivport,delivfqdn,deliverrno,deliverrstr'
    const mysql = require('mysql2/promise') as { createConnection(options: object): Promise<Client> }
    const db = await mysql.createConnection({
      host: '127.0.0.1',
      port: my.port,
      user: 'mail',
      password: 'secret',
      database: 'mail',
    })
    await db.query(
      `create table delivlog (${columns
        .split(',')
        .map((name) => `${name} text`)
        .join(', ')})`,
    )
    const deferral = page.take('tpda_host_defer_action')
    const hosts = page.take('errno 111').trim().split('\n')
    assert.equal(hosts.length, 3)
    await restart(
      routing,
      { main: `hide mysql_servers = 127.0.0.1::${my.port}/mail/mail/secret\n` },
      out(deferral),
    )
    for (const [number, line] of hosts.entries()) {
      const [, words = '', errno = ''] = /^(.*?) {2,}errno (\d+)$/.exec(line) ?? []
      const stop = number === 0 ? () => undefined : number === 1 ? await silent() : await busy()
      await mail({ to: `c${number}@down.example` })
      if (number > 0) await shell('exim -qf')
      await logged(words.replace('[192.0.2.1]', '[192.0.2.7]'))
      const found = await until(async () => {
        const [rows] = (await db.query(`select deliverrno from delivlog where delivlp = 'c${number}'`)) as [
          { deliverrno: string }[],
        ]
        return rows[0]
      }, waitMs)
      assert.equal(found?.deliverrno, errno, line)
      await stop()
    }
    await db.end()

    sql.on('error', () => undefined)
    const [broken = '', slow = ''] = page.take('failed to expand').trim().split('\n')
    await sql.end()
    await pg.stop()
    await restart(
      routing,
      { main: `hide pgsql_servers = 127.0.0.1::${pg.port}/postgres/mail/secret\n` },
      out(action),
    )
    await mail({ to: 'a@ok.example' })
    await logged(broken)
    const never = createServer(() => undefined)
    await new Promise<void>((resolve) => never.listen(7777, '127.0.0.1', resolve))
    atEnd(() => void never.close())
    await restart(
      routing,
      out(
        '  event_action = ${if eq{msg:delivery}{$event_name}{${readsocket{inet:127.0.0.1:7777}{x}{60s}}}}\n',
      ),
    )
    await mail({ to: 'a@ok.example' })
    await logged(slow)

    const streams = page.take('event_stream = /var/log/postern/events').trim().split('\n')
    const line = page.take('"event":"msg:delivery"')
    assert.equal(streams.length, 3)
    const keys = Object.keys(JSON.parse(line) as object)
    for (const stream of streams) {
      const took = await consumer(stream)
      await restart(routing, out(''), { main: `${took.option}\n` })
      await mail({ from: 's@from.example', to: 'a@ok.example', client: '203.0.113.9' })
      const told = await until(() => took.lines().find((each) => each.includes('"msg:delivery"')), waitMs)
      assert.deepEqual(Object.keys(JSON.parse(told ?? '{}') as object), keys, `${stream}\n${told}\n${logs()}`)
      assertShown(line, told ?? '', [[/"n":"[^"]+"/, '"n":"[^"]+"']])
      await took.end()
    }
    const away = page.take('the consumer is away')
    await restart(routing, out(''), { main: 'event_stream = http://127.0.0.1:8080/\n' })
    await mail({ to: 'a@ok.example' })
    await logged(away.split('\n')[0] ?? '')
    const server = createHttp((request, response) => void request.resume().on('end', () => response.end()))
    await new Promise<void>((resolve) => server.listen(8080, '127.0.0.1', resolve))
    atEnd(() => void server.close())
    await logged(away)
    void lineOf
    void spawnSync
  },
}

/** Accepts connections at 192.0.2.7 and says nothing. */
async function silent(): Promise<() => Promise<void>> {
  return listening('')
}
async function busy(): Promise<() => Promise<void>> {
  return listening('421 busy\r\n')
}
async function listening(says: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.resume()
    if (says !== '') socket.end(says)
  })
  await new Promise<void>((resolve) => server.listen(25, '192.0.2.7', resolve))
  return () => new Promise((resolve) => void server.close(() => resolve()))
}

interface Consumer {
  readonly option: string
  lines(): string[]
  end(): Promise<void>
}

/** What an `event_stream` line names, started. */
async function consumer(option: string): Promise<Consumer> {
  const target = option.replace(/^event_stream = /, '')
  let heard = ''
  const lines = (): string[] => heard.split('\n')
  if (target.startsWith('/'))
    return { option, lines: () => readIfThere(target).split('\n'), end: async () => undefined }
  if (target.startsWith('unix:')) {
    const path = target.slice(5)
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (bytes) => (heard += String(bytes)))
      socket.on('end', () => socket.end('ok\n'))
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    chmodSync(path, 0o777)
    return { option, lines, end: () => new Promise((resolve) => void server.close(() => resolve())) }
  }
  // The page's collector has a certificate of its own; here the same words go without TLS.
  const server = createHttp((request, response) => {
    assert.equal(request.headers['content-type'], 'application/x-ndjson')
    request.on('data', (bytes) => (heard += String(bytes)))
    request.on('end', () => response.end())
  })
  await new Promise<void>((resolve) => server.listen(8081, '127.0.0.1', resolve))
  return {
    option: option.replace('https://collector.example', 'http://127.0.0.1:8081'),
    lines,
    end: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}
