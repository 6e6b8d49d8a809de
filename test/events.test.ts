/** Transport post-delivery actions of 2014 and the events they became: requirements T1 to T9, on a started server. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  fetchMariadb,
  fetchPostgres,
  startMariadb,
  startPostgres,
  type Database,
} from './support/databases.ts'
import { freePort, localUser, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'

interface World {
  readonly server: StartedServer
  readonly sinks: Readonly<Record<string, Sink>>
  /** Sends one message by SMTP. */
  send(to: readonly string[], from?: string): Promise<void>
  close(): Promise<void>
}

interface WorldOptions {
  readonly main?: string
  readonly acl?: string
  /** Lines of the smtp transport. */
  readonly remote: string
  /** Lines of the appendfile transport. */
  readonly local?: string
}

/** A server that sends each domain to a server of its own. */
async function world(options: WorldOptions): Promise<World> {
  const folder = temporaryFolder('events')
  const box = join(folder.path, 'box')
  mkdirSync(box)
  chmodSync(box, 0o777)
  const sinks: Record<string, Sink> = {
    'ok.test': await startSink(),
    'greet4.test': await startSink({ greeting: '421 we are busy' }),
    'silent.test': await startSink({ greeting: 'hang' }),
    'plain.test': await startSink({ extensions: [] }),
    'rcpt4.test': await startSink({ rcpt: () => '450 later' }),
    'mail4.test': await startSink({ mail: () => '451 later' }),
  }
  const refused = await freePort()
  const ports = Object.entries(sinks).map(([domain, sink]) => `${domain}=${sink.port}`)
  const server = await startServer({
    folder: folder.path,
    configuration: `
primary_hostname = mta.example
acl_smtp_rcpt = ok
log_selector = +pid -pid
${options.main ?? ''}
begin acl
ok:
  accept
${options.acl ?? ''}
begin routers
boxes:
  driver = accept
  domains = box.test
  transport = box
remote:
  driver = manualroute
  domains = *.test
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
box:
  driver = appendfile
  file = ${box}/mail
  user = ${localUser}
  ${options.local ?? ''}
out:
  driver = smtp
  port = \${extract{$domain}{refused.test=${refused} ${ports.join(' ')}}}
  command_timeout = 1s
  hosts_require_tls = \${if eq{$domain}{plain.test}{*}}
  ${options.remote}
begin retry
* * F,1h,15m
`,
  })
  return {
    server,
    sinks,
    async send(to, from = 'sender@from.example') {
      const client = await connectSmtp(server.port)
      await client.say('EHLO client.example')
      const reply = await client.deliver(from, to, 'Subject: x\r\n\r\nhello\r\n')
      assert.equal(reply.code, 250, reply.raw)
      client.end()
    },
    async close() {
      await server.stop()
      for (const sink of Object.values(sinks)) await sink.close()
      folder.remove()
    },
  }
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(new RegExp(pattern, 'g'))].length
}

describe('transport post-delivery actions', () => {
  let it: World
  const note = (what: string): string =>
    `\${acl{note}{${what} [$tpda_delivery_ip]:$tpda_delivery_port $tpda_delivery_fqdn $tpda_delivery_local_part $tpda_delivery_domain <$tpda_delivery_confirmation> <$tpda_defer_errno> <$tpda_defer_errstr>}}`
  before(async () => {
    it = await world({
      acl: 'note:\n  accept set acl_m_seen = seen by $acl_narg\n  logwrite = NOTE $acl_arg1 R=$router_name T=$transport_name ($acl_m_seen) from $sender_address\n  message = this is thrown away',
      remote: `tpda_delivery_action = ${note('delivered')}\n  tpda_host_defer_action = ${note('deferred')}`,
      local: `tpda_delivery_action = ${note('delivered')}`,
    })
  })
  after(() => it.close())

  test('T1: the action runs once for each delivered recipient, after its line, and what it gives is thrown away', async () => {
    await it.send(['a@ok.test', 'b@ok.test', 'c@box.test'])
    await it.server.logged(/Completed/)
    const log = it.server.log()
    for (const who of ['a@ok.test', 'b@ok.test', 'c']) {
      const at = log.search(new RegExp(`[=-]> ${who.replace('.', '\\.')} `))
      const [localPart = ''] = who.split('@')
      const noted = log.search(new RegExp(`NOTE delivered .* ${localPart} (?:ok|box)\\.test `))
      assert.ok(at >= 0 && noted > at, log)
    }
    assert.equal(count(log, /NOTE delivered/), 3)
    assert.equal(it.sinks['ok.test']?.messages.length, 1)
  })

  test('T2: the host defer action runs for errors of hosts, not for those of messages and recipients', async () => {
    for (const domain of ['refused', 'greet4', 'silent', 'plain', 'rcpt4', 'mail4']) {
      await it.send([`u@${domain}.test`])
      await it.server.logged(new RegExp(`== u@${domain}\\.test `))
    }
    const log = it.server.log()
    for (const domain of ['refused', 'greet4', 'silent', 'plain']) {
      assert.equal(count(log, new RegExp(`NOTE deferred .* u ${domain}\\.test `)), 1, log)
    }
    assert.equal(count(log, /NOTE deferred .* u (?:rcpt4|mail4)\.test /), 0, log)
  })

  test('T3: at a delivery, address, port and name of the host, the recipient and the confirmation', () => {
    const port = it.sinks['ok.test']?.port
    const expected = `NOTE delivered [127.0.0.1]:${port} 127.0.0.1 a ok.test <250 2.0.0 taken> <0> <250 2.0.0 taken>`
    assert.ok(it.server.log().includes(expected), it.server.log())
    assert.match(it.server.log(), /NOTE delivered \[\]: {2}c box\.test <>/)
  })

  test('T4: at a host defer also error number and text', () => {
    const log = it.server.log()
    assert.match(
      log,
      /NOTE deferred \[127\.0\.0\.1\]:\d+ 127\.0\.0\.1 u refused\.test <[^>]*> <111> <Connection refused>/,
    )
    assert.match(
      log,
      /u greet4\.test <[^>]*> <0> <SMTP error from remote mail server after initial connection: 421 we are busy>/,
    )
    assert.match(
      log,
      /u silent\.test <[^>]*> <110> <SMTP timeout after initial connection: Connection timed out>/,
    )
    assert.match(
      log,
      /u plain\.test <[^>]*> <-38> <a TLS session is required, but the server did not offer TLS support>/,
    )
  })

  test('T5: router and transport have their names in the action', () => {
    assert.match(it.server.log(), /NOTE delivered .* a ok\.test .* R=remote T=out /)
    assert.match(it.server.log(), /NOTE delivered .* c box\.test .* R=boxes T=box /)
  })

  test('T7: an ACL with arguments does what an action is too small for', () => {
    assert.match(it.server.log(), /NOTE delivered .* \(seen by 1\) from sender@from\.example/)
  })
})

// The two examples of 2014, as printed.
const example1 = `tpda_delivery_action = \\
\${lookup pgsql {SELECT * FROM record_Delivery( \\
    '\${quote_pgsql:$sender_address_domain}',\\
    '\${quote_pgsql:\${lc:$sender_address_local_part}}', \\
    '\${quote_pgsql:$tpda_delivery_domain}', \\
    '\${quote_pgsql:\${lc:$tpda_delivery_local_part}}', \\
    '\${quote_pgsql:$tpda_delivery_ip}', \\
    '\${quote_pgsql:\${lc:$tpda_delivery_fqdn}}', \\
    '\${quote_pgsql:$message_exim_id}')}}
`
const example2 = `tpda_host_defer_action = \\
\${lookup mysql {insert into delivlog set \\
    msgid = '\${quote_mysql:$message_exim_id}', \\
    senderlp = '\${quote_mysql:\${lc:$sender_address_local_part}}', \\
    senderdom = '\${quote_mysql:$sender_address_domain}', \\
    delivlp = '\${quote_mysql:\${lc:$tpda_delivery_local_part}}', \\
    delivdom = '\${quote_mysql:$tpda_delivery_domain}', \\
    delivip = '\${quote_mysql:$tpda_delivery_ip}', \\
    delivport = '\${quote_mysql:$tpda_delivery_port}', \\
    delivfqdn = '\${quote_mysql:$tpda_delivery_fqdn}', \\
    deliverrno = '\${quote_mysql:$tpda_defer_errno}', \\
    deliverrstr = '\${quote_mysql:$tpda_defer_errstr}' \\
    }}
`
const postgres = fetchPostgres()
const mariadb = fetchMariadb()
const noDatabase = 'missing' in mariadb ? mariadb.missing : 'missing' in postgres ? postgres.missing : false

describe('T6: the SQL examples of 2014', { skip: noDatabase }, () => {
  let it: World
  let databases: Database[]
  const sql = (type: string, statement: string): string => {
    const done = it.server.command('-be', `\${lookup ${type}{\\N${statement}\\N}}`)
    return done.stdout.trim()
  }
  before(async () => {
    if ('missing' in mariadb || 'missing' in postgres) return
    const [pgsql, mysql] = await Promise.all([startPostgres(postgres), startMariadb(mariadb)])
    databases = [pgsql, mysql]
    it = await world({
      main: `hide pgsql_servers = 127.0.0.1::${pgsql.port}/postgres/mail/secret\nhide mysql_servers = 127.0.0.1::${mysql.port}/mail/mail/secret`,
      remote: `${example1}  ${example2}`,
      local: example1,
    })
    sql('pgsql', 'create table deliveries (sd text, sl text, dd text, dl text, ip text, host text, id text)')
    sql(
      'pgsql',
      "create function record_Delivery(text, text, text, text, text, text, text) returns integer language sql as 'insert into deliveries values ($1, $2, $3, $4, $5, $6, $7); select 1'",
    )
    const columns = [
      'msgid',
      'senderlp',
      'senderdom',
      'delivlp',
      'delivdom',
      'delivip',
      'delivport',
      'delivfqdn',
    ]
    sql(
      'mysql',
      `create table delivlog (${columns.map((name) => `${name} varchar(100)`).join(', ')}, deliverrno varchar(20), deliverrstr text)`,
    )
  })
  after(async () => {
    await it?.close()
    for (const database of databases ?? []) await database.stop()
  })

  test('T6: record_Delivery of PostgreSQL gets each of several recipients, quotes and all', async () => {
    await it.send(["o'Hara@ok.test", '"two words"@ok.test', "d'arcy@box.test"], "x'y\\z@o-neil.example")
    const [, id = ''] = await it.server.logged(/ (\S+) Completed/)
    const rows = sql('pgsql', 'select sd, sl, dd, dl, ip, host, id from deliveries order by dl').split('\n')
    const wanted = (domain: string, localPart: string, host: string): string =>
      rows.find(
        (row) =>
          row.includes(`dl=${localPart} `) && row.includes(`dd=${domain} `) && row.includes(`ip=${host} `),
      ) ?? `no ${localPart} in ${rows.join('\n')}`
    assert.match(wanted('ok.test', "o'hara", '127.0.0.1'), new RegExp(`id=${id}`))
    assert.match(wanted('ok.test', '"\\"two words\\""', '127.0.0.1'), /host=127\.0\.0\.1/)
    assert.match(wanted('box.test', "d'arcy", '""'), /sd=o-neil\.example/)
    assert.equal(rows.length, 3, rows.join('\n'))
  })

  test('T6: the table in MariaDB gets each deferral: refused, timed out, without TLS, a greeting of 4xx', async () => {
    for (const domain of ['refused', 'silent', 'plain', 'greet4']) {
      await it.send([`o'${domain}@${domain}.test`], "b'c@from.example")
      await it.server.logged(new RegExp(`== o'${domain}@`))
    }
    const rows = sql(
      'mysql',
      'select delivlp, delivdom, senderlp, delivip, deliverrno, deliverrstr from delivlog',
    )
    for (const [domain, errno, text] of [
      ['refused', '111', 'Connection refused'],
      ['silent', '110', 'SMTP timeout after initial connection: Connection timed out'],
      ['plain', '-38', 'a TLS session is required, but the server did not offer TLS support'],
      ['greet4', '0', 'SMTP error from remote mail server after initial connection: 421 we are busy'],
    ] as const) {
      const row = rows.split('\n').find((line) => line.includes(`delivdom=${domain}.test`)) ?? rows
      assert.ok(row.includes(`delivlp=o'${domain} `), row)
      assert.ok(row.includes("senderlp=b'c "), row)
      assert.ok(row.includes(`deliverrno=${errno} `), row)
      assert.ok(row.includes(text), row)
    }
  })

  test('T8: a database that dies or hangs neither fails nor repeats a delivery, and the log tells', async () => {
    const before = it.sinks['ok.test']?.messages.length ?? 0
    databases[0]?.process.kill('SIGSTOP')
    await it.send(['late@ok.test'])
    await it.server.logged(/=> late@ok\.test/)
    databases[0]?.process.kill('SIGCONT')
    await it.server.logged(/late@ok\.test[\s\S]* Completed/, 30_000)
    await databases[0]?.stop()
    await it.send(['gone@ok.test'])
    await it.server.logged(/failed to expand tpda_delivery_action in out: [^\n]*\n[^\n]*Completed/, 30_000)
    assert.equal(it.sinks['ok.test']?.messages.length, before + 2)
    assert.match(it.server.log('panic'), /failed to expand tpda_delivery_action in out: /)
  })
})

test('T8: an action that hangs is cut off; one that is wrong is logged; a forced failure is silent; mail goes out once', async () => {
  const it = await world({
    main: 'event_action_timeout = 1s',
    remote: `event_action = \${if eq{$event_name}{msg:delivery}{\${if eq{$local_part}{hangs}{\${run{/bin/sleep 60}}}{\${if eq{$local_part}{silent}{\${if eq{1}{2}{x}fail}}{\${lookup{x}lsearch{/nonexistent}}}}}}}}`,
  })
  try {
    const startedAt = Date.now()
    await it.send(['hangs@ok.test'])
    await it.server.logged(/failed to expand event_action msg:delivery in out: not done after 1s/)
    await it.server.logged(/Completed/)
    assert.ok(Date.now() - startedAt < 20_000)
    await it.send(['wrong@ok.test'])
    await it.server.logged(/failed to expand event_action msg:delivery in out: failed to open \/nonexistent/)
    await it.send(['silent@ok.test'])
    await it.server.logged(/=> silent@ok\.test[^]*Completed/)
    assert.equal(count(it.server.log(), /failed to expand/), 2)
    assert.equal(it.sinks['ok.test']?.messages.length, 3)
    assert.equal(it.server.command('-bpc').stdout, '0\n')
  } finally {
    await it.close()
  }
})

test('T9: tpda_event_action with $tpda_event, $tpda_data and $tpda_defer_errno is event_action', async () => {
  const acl =
    'ev:\n  accept logwrite = EVENT $tpda_event <$tpda_data> <$tpda_defer_errno> $event_name <$event_data> <$event_defer_errno>'
  const it = await world({ acl, remote: 'tpda_event_action = ${acl{ev}}' })
  try {
    await it.send(['a@ok.test'])
    await it.send(['b@refused.test'])
    await it.server.logged(/EVENT msg:delivery <250 2\.0\.0 taken> <0> msg:delivery <250 2\.0\.0 taken> <0>/)
    await it.server.logged(
      /EVENT msg:host:defer <Connection refused> <111> msg:host:defer <Connection refused> <111>/,
    )
    assert.match(it.server.command('-bP', 'transport', 'out').stdout, /event_action = \$\{acl\{ev\}\}/)
  } finally {
    await it.close()
  }
})

test('an action can refuse to connect, close a connection after the banner, and cannot refuse anything else', async () => {
  const it = await world({
    remote: `event_action = \${if eq{$event_name:$local_part}{tcp:connect:never}{not there}{\${if eq{$event_name:$local_part}{smtp:connect:rude}{no manners}{\${if eq{$event_name}{msg:delivery}{no}{\${if eq{$event_name}{smtp:ehlo}{no}}}}}}}}`,
  })
  try {
    await it.send(['never@ok.test'])
    await it.server.logged(/H=127\.0\.0\.1 \[127\.0\.0\.1\] Event requests alternate response/)
    assert.match(it.server.log(), /== never@ok\.test R=remote T=out defer \(-58\)/)
    assert.equal(it.sinks['ok.test']?.connections, 0)
    await it.send(['rude@greet4.test'])
    await it.send(['rude@rcpt4.test'])
    await it.server.logged(
      /== rude@rcpt4\.test R=remote T=out defer \(-27\): deferred by smtp:connect event expansion: no manners/,
    )
    await it.send(['fine@mail4.test', 'fine@plain.test'])
    await it.server.logged(/== fine@mail4\.test/)
  } finally {
    await it.close()
  }
})

test('events of reception: authentication, syntax and protocol errors, and the end of a message', async () => {
  const it = await world({
    main: 'event_action = ${acl{ev}}',
    acl: 'ev:\n  warn condition = ${if eq{$event_name}{auth:fail}}\n  message = somebody failed\n  accept logwrite = EVENT $event_name <$event_data> [$sender_host_address]\n  message = ${if eq{$event_name}{auth:fail}{somebody failed}}',
    remote: '',
  })
  try {
    const client = await connectSmtp(it.server.port)
    await client.say('BLAH')
    await client.say('RCPT TO:<a@b>')
    client.end()
    await it.send(['a@ok.test'])
    await it.server.logged(/EVENT smtp:fail:syntax <[^>]*unrecognized command> \[127\.0\.0\.1\]/)
    await it.server.logged(/EVENT smtp:fail:protocol <[^>]+> \[127\.0\.0\.1\]/)
    await it.server.logged(/Completed\n[^\n]*EVENT msg:complete <> \[127\.0\.0\.1\]/)
  } finally {
    await it.close()
  }
})

test('events of a connection come as it goes on, in deliveries and callouts', {
  skip: noOpenssl,
}, async () => {
  const [theirs, ours] = [temporaryFolder('events-mx'), temporaryFolder('events-tls')]
  const ca = new TestAuthority(theirs.path)
  ca.leaf('mx.test')
  const mx = await startServer({
    folder: theirs.path,
    configuration: `
primary_hostname = mx.test
tls_certificate = ${ca.at('mx.test.chain')}
tls_privatekey = ${ca.at('mx.test.key')}
acl_smtp_rcpt = accept
begin routers
all:
  driver = redirect
  data = :blackhole:
`,
  })
  const plain = await startSink({ extensions: [] })
  const server = await startServer({
    folder: ours.path,
    configuration: `
primary_hostname = mta.example
tls_advertise_hosts =
acl_smtp_rcpt = check
begin acl
check:
  accept local_parts = callout
         verify = recipient/callout=no_cache
  accept !local_parts = callout
ev:
  accept logwrite = EVENT $local_part@$domain $event_name\${if eq{$event_name}{smtp:ehlo}{ \${if match{$event_data}{STARTTLS}{in clear}{again}}}}
         message = \${if eq{$local_part:$event_name}{rude:smtp:connect}{no manners}}
begin routers
remote:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = \${if eq{$domain}{plain.test}{${plain.port}}{${mx.port}}}
  connection_max_messages = 1
  hosts_require_tls = *
  event_action = \${acl{ev}}
begin retry
* * F,1h,15m
`,
  })
  const events = (address: string): string[] =>
    [...server.log().matchAll(new RegExp(`EVENT ${address} (.*)$`, 'gm'))].map(([, said = '']) => said)
  const full = [
    'tcp:connect',
    'smtp:connect',
    'smtp:ehlo in clear',
    'tls:cert',
    'tls:cert',
    'smtp:ehlo again',
  ]
  const send = async (to: string): Promise<void> => {
    const client = await connectSmtp(server.port)
    await client.say('EHLO client.example')
    const { code, raw } = await client.deliver('s@from.example', [to], 'Subject: x\r\n\r\nhello\r\n')
    assert.equal(code, 250, raw)
    client.end()
  }
  try {
    await send('a@tls.test')
    await server.logged(/=> a@tls\.test/)
    assert.deepEqual(events('a@tls.test').slice(0, 6), full)
    // First for the callout.
    await send('callout@tls.test')
    assert.deepEqual(events('callout@tls.test').slice(0, 6), full)
    // Nothing more is said to a host whose banner is not liked.
    await send('rude@tls.test')
    await server.logged(/== rude@tls\.test .*: deferred by smtp:connect event expansion: no manners/)
    assert.deepEqual(events('rude@tls.test').slice(0, 3), ['tcp:connect', 'smtp:connect', 'tcp:close'])
    await send('a@plain.test')
    await server.logged(/== a@plain\.test .*: a TLS session is required/)
    assert.deepEqual(events('a@plain.test').slice(0, 4), [
      'tcp:connect',
      'smtp:connect',
      'smtp:ehlo again',
      'tcp:close',
    ])
  } finally {
    await server.stop()
    await mx.stop()
    await plain.close()
    theirs.remove()
    ours.remove()
  }
})
