/** What a session offers beside mail: LIMITS, XCLIENT, WELLKNOWN, slowing down, ident, CSA, debugging by ACL. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DnsServer, startDnsServer } from './support/dns-server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('extensions')
let server: StartedServer
let dns: DnsServer
let ident: Server
const asked: string[] = []
const file = 'Contact: mailto:a+b@test.example\nline=2\n'

before(async () => {
  dns = await startDnsServer({
    '_client._smtp.good.example SRV': [
      { type: 'SRV', data: { priority: 1, weight: 2, port: 0, target: 'host.good.example' } },
    ],
    'host.good.example A': [{ type: 'A', data: '127.0.0.1' }],
    '_client._smtp.no.example SRV': [{ type: 'SRV', data: { priority: 1, weight: 1, port: 0, target: '.' } }],
    '_client._smtp.other.example SRV': [
      { type: 'SRV', data: { priority: 1, weight: 2, port: 0, target: 'host.other.example' } },
    ],
    'host.other.example A': [{ type: 'A', data: '192.0.2.1' }],
    '_client._smtp.strict.example SRV': [
      { type: 'SRV', data: { priority: 1, weight: 2, port: 1, target: 'host.good.example' } },
    ],
    '_client._smtp.broken.example SRV': 'servfail',
  })
  ident = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const query = bytes.toString('latin1').trim()
      asked.push(query)
      socket.end(`${query} : USERID : UNIX : ford\x07prefect\r\n`)
    })
  })
  await new Promise<void>((resolve) => ident.listen(0, '127.0.0.1', resolve))
  const address = ident.address()
  writeFileSync(join(folder.path, 'known.txt'), file)
  server = await startServer({
    folder: folder.path,
    arguments: [],
    environment: { POSTERN_DNS: `${dns.address}:${dns.port}` },
    configuration: `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup =
tls_advertise_hosts =
queue_only
log_selector = +all -pid -arguments
smtp_accept_max_per_connection = 7
recipients_max = 9
hosts_xclient = 127.0.0.1
wellknown_advertise_hosts = *
acl_smtp_wellknown = acl_wellknown
smtp_ratelimit_hosts = 192.0.2.99
smtp_ratelimit_mail = 1,0.4s,2,5s
smtp_ratelimit_rcpt = 1,0.3s,1,5s
rfc1413_hosts = *
rfc1413_query_timeout = 5s
rfc1413_port = ${typeof address === 'object' && address !== null ? address.port : 0}
acl_smtp_connect = acl_connect
acl_smtp_helo = acl_helo
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  warn local_parts = panic
    logwrite = :panic: something is wrong
  warn local_parts = now
    control = debug/trigger=now
  warn local_parts = stop
    control = debug/stop
  accept condition = \${if eq{$local_part}{xyzzy}{yes}{yes}}
acl_connect:
  deny hosts = 192.0.2.66
    message = not you
  accept
acl_helo:
  warn condition = \${if eq{$sender_helo_name}{traced}}
    control = debug/tag=.traced/opts=+acl
  warn condition = \${if eq{$sender_helo_name}{wiped}}
    control = debug/tag=.wiped
    control = debug/kill
  warn condition = \${if eq{$sender_helo_name}{waits}}
    control = debug/tag=.waits/opts=+all/pretrigger=20000/trigger=paniclog
  warn condition = \${if eq{$sender_helo_name}{quiet}}
    control = debug/tag=.quiet/opts=+acl+expand/pretrigger=20000/trigger=paniclog
  warn condition = \${if eq{$sender_helo_name}{later}}
    control = debug/tag=.later/opts=+acl/pretrigger=20000
  warn condition = \${if eq{$sender_helo_name}{expands}}
    control = debug/tag=.expands/opts=+expand
  warn condition = \${if eq{$sender_helo_name}{goes}}
    control = debug/tag=.goes
  warn condition = \${if eq{$sender_helo_name}{stops}}
    control = debug/tag=.stops/opts=+acl
  accept condition = \${if match{$sender_helo_name}{\\N\\.example$\\N}{no}{yes}}
  warn !verify = csa
    logwrite = csa refuses $sender_helo_name
  warn logwrite = csa of $sender_helo_name: $csa_status
  accept
acl_wellknown:
  accept condition = \${if eq{$smtp_command_argument}{security.txt}}
    control = wellknown/${folder.path}/known.txt
  accept condition = \${if eq{$smtp_command_argument}{gone.txt}}
    control = wellknown/${folder.path}/gone.txt
  deny
begin routers
all:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
`,
  })
})
after(async () => {
  await server?.stop()
  await dns?.close()
  ident?.close()
  folder.remove()
})

test('LIMITS tells how many messages a connection and recipients a message may have: RFC 9422', async () => {
  const client = await connectSmtp(server.port)
  const { lines } = await client.say('EHLO x')
  assert.ok(lines.includes('LIMITS MAILMAX=7 RCPTMAX=9'), lines.join('\n'))
  client.end()
})

test('XCLIENT: the session begins anew for the client that was told', async () => {
  const client = await connectSmtp(server.port)
  assert.ok(
    (await client.say('EHLO proxy')).lines.includes(
      'XCLIENT ADDR NAME PORT PROTO HELO LOGIN DESTADDR DESTPORT',
    ),
  )
  const told = 'NAME=client.example ADDR=192.0.2.7 PORT=1234 LOGIN=joe DESTADDR=198.51.100.1 DESTPORT=587'
  assert.equal((await client.say(`XCLIENT ${told}`)).code, 220)
  const hello = await client.say('EHLO inner')
  assert.equal(hello.lines[0], 'mx.test.example Hello fordprefect at client.example [192.0.2.7]')
  assert.ok(!hello.lines.some((line) => line.startsWith('XCLIENT')), 'the told client may not tell again')
  await client.deliver('a@b.example', ['u@test.example'], 'Subject: told\n\nx\n')
  await server.logged(
    /<= a@b\.example H=client\.example \(inner\) \[192\.0\.2\.7\]:1234 I=\[198\.51\.100\.1\]:587 U=fordprefect P=esmtpa [^\n]*A=xclient:joe/,
  )
  client.end()
})

test('XCLIENT: the connect ACL speaks of the client that was told', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO proxy')
  assert.equal((await client.say('XCLIENT ADDR=192.0.2.66')).raw, '550 not you\r\n')
  await client.closed()
})

const wrong: readonly (readonly [string, string])[] = [
  ['XCLIENT', '501 XCLIENT must have at least one operand\r\n'],
  ['XCLIENT FOO=bar', '501 XCLIENT: unrecognised parameter "FOO"\r\n'],
  ['XCLIENT ADDR', '501 XCLIENT: unrecognised parameter "ADDR"\r\n'],
  ['XCLIENT ADDR=300.1.1.1', '501 XCLIENT: invalid value for ADDR\r\n'],
  ['XCLIENT PORT=65536', '501 XCLIENT: invalid value for PORT\r\n'],
  ['XCLIENT NAME=a+20b', '501 XCLIENT: invalid value for NAME\r\n'],
  ['XCLIENT ADDR=192.0.2.1 HELO=a+0Ab', '501 XCLIENT: invalid value for HELO\r\n'],
]
for (const [command, reply] of wrong) {
  test(`XCLIENT: ${command} is refused and changes nothing`, async () => {
    const client = await connectSmtp(server.port)
    await client.say('EHLO proxy')
    assert.equal((await client.say(command)).raw, reply)
    assert.match((await client.say('EHLO proxy')).raw, /\[127\.0\.0\.1\]/)
    client.end()
  })
}

test('XCLIENT is refused when it was not offered, and in a transaction', async () => {
  const client = await connectSmtp(server.port)
  assert.equal((await client.say('XCLIENT ADDR=192.0.2.1')).code, 503)
  await client.say('EHLO x')
  await client.say('MAIL FROM:<a@b.example>')
  assert.equal((await client.say('XCLIENT ADDR=192.0.2.1')).code, 503)
  client.end()
})

test('smtp_ratelimit_mail and _rcpt slow down clients of smtp_ratelimit_hosts', async () => {
  const timed = async (address: string): Promise<number> => {
    const client = await connectSmtp(server.port)
    await client.say('EHLO proxy')
    await client.say(`XCLIENT ADDR=${address}`)
    await client.say('EHLO x')
    const from = performance.now()
    for (const command of [
      'MAIL FROM:<a@b.example>',
      'RSET',
      'MAIL FROM:<a@b.example>',
      'RCPT TO:<u@test.example>',
      'RCPT TO:<v@test.example>',
    ]) {
      assert.equal((await client.say(command)).code, 250)
    }
    client.end()
    return performance.now() - from
  }
  // The second MAIL waits 0.4 s, the second RCPT 0.3 s.
  assert.ok((await timed('192.0.2.99')) >= 690)
  assert.ok((await timed('192.0.2.98')) < 690)
})

test('WELLKNOWN gives a file that the ACL chose, as xtext', async () => {
  const client = await connectSmtp(server.port)
  assert.ok((await client.say('EHLO x')).lines.includes('WELLKNOWN'))
  const reply = await client.say('WELLKNOWN security.txt')
  const decoded = reply.lines
    .join('')
    .replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  assert.equal(decoded, file)
  assert.equal((await client.say('WELLKNOWN gone.txt')).code, 550)
  assert.equal((await client.say('WELLKNOWN other')).code, 550)
  client.end()
})

test('ident is asked where that is set, and its answer is cleaned', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO x')
  assert.ok(asked.includes(`${client.socket.localPort} , ${server.port}`))
  await server.logged(new RegExp(`SMTP connection from \\[127\\.0\\.0\\.1\\]:${client.socket.localPort} `))
  client.end()
  await server.logged(/U=fordprefect/)
})

for (const [name, status] of [
  ['good.example', 'ok'],
  ['no.example', 'fail'],
  ['other.example', 'fail'],
  ['sub.strict.example', 'fail'],
  ['nothing.example', 'unknown'],
  ['broken.example', 'defer'],
] as const) {
  test(`verify = csa: ${name} comes to ${status}`, async () => {
    const client = await connectSmtp(server.port)
    await client.say(`EHLO ${name}`)
    client.end()
    await server.logged(new RegExp(`csa of ${name.replaceAll('.', '\\.')}: ${status}\\n`))
    assert.equal(server.log().includes(`csa refuses ${name}`), status === 'fail')
  })
}

test('control = debug writes what the ACLs decide into a file beside the logs', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO traced')
  await client.say('MAIL FROM:<a@b.example>')
  await client.say('RCPT TO:<u@test.example>')
  await client.say('QUIT')
  client.end()
  const path = join(folder.path, 'log', 'debuglog.traced')
  const text = await until(() => {
    const read = existsSync(path) ? readFileSync(path, 'latin1') : ''
    return read.includes('processing "accept"') ? read : undefined
  }, 10_000)
  assert.ok(text !== undefined)
})

test('control = debug/kill leaves no file', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO wiped')
  await client.say('QUIT')
  client.end()
  await server.logged(/SMTP connection from \(wiped\)[^\n]* closed by QUIT/)
  assert.equal(existsSync(join(folder.path, 'log', 'debuglog.wiped')), false)
})

async function traced(
  helo: string,
  ...recipients: string[]
): Promise<(has: string) => Promise<string | undefined>> {
  const client = await connectSmtp(server.port)
  await client.say(`EHLO ${helo}`)
  await client.say('MAIL FROM:<a@b.example>')
  for (const recipient of recipients) await client.say(`RCPT TO:<${recipient}@test.example>`)
  await client.say('QUIT')
  client.end()
  await server.logged(new RegExp(`SMTP connection from \\(${helo}\\)[^\\n]* closed by QUIT`))
  const path = join(folder.path, 'log', `debuglog.${helo}`)
  return (has) =>
    until(() => {
      const read = existsSync(path) ? readFileSync(path, 'latin1') : ''
      return read.includes(has) ? read : undefined
    }, 10_000)
}

test('control = debug/pretrigger/trigger=paniclog writes what was before, once the session writes to the panic log', async () => {
  const read = await traced('waits', 'before', 'panic', 'after')
  const text = await read('SMTP<< RCPT TO:<after@')
  assert.ok(text?.includes('SMTP<< RCPT TO:<before@'), text)
  assert.match(text ?? '', /LOG: PANIC\n {2}.*something is wrong/)
})

test('control = debug/trigger=paniclog: the panic log of another session releases nothing', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO quiet')
  await traced('plain', 'panic')
  await client.say('QUIT')
  client.end()
  await server.logged(/SMTP connection from \(quiet\)[^\n]* closed by QUIT/)
  assert.equal(existsSync(join(folder.path, 'log', 'debuglog.quiet')), false)
})

test('control = debug/trigger=now releases what was held back', async () => {
  const read = await traced('later', 'before', 'now', 'after')
  const text = await read('after@test.example')
  // The ACL of a recipient that came before the trigger.
  assert.ok((text?.split('processing "accept"').length ?? 0) > 3, text)
})

test('control = debug/opts=+expand shows expansions, and nothing else', async () => {
  const read = await traced('expands', 'u')
  const text = await read('xyzzy')
  assert.ok(text !== undefined)
  assert.ok(!text.includes('SMTP<<'), text)
})

test('control = debug/stop ends it, and the file stays', async () => {
  const read = await traced('stops', 'before', 'stop', 'after')
  const text = await read('debug/stop')
  assert.ok(text !== undefined && !text.includes('after@'), text)
})

test('control = debug goes with a message to its delivery', async () => {
  const client = await connectSmtp(server.port)
  await client.say('EHLO goes')
  const reply = await client.deliver('a@b.example', ['u@test.example'], 'Subject: x\n\nx\n')
  client.end()
  const id = /id=(\S+)/.exec(reply.raw)?.[1] ?? ''
  assert.notEqual(id, '')
  assert.equal(server.command('-M', id).status, 0)
  await server.logged(new RegExp(`${id} Completed`))
  const path = join(folder.path, 'log', 'debuglog.goes')
  const text = await until(() => {
    const read = readFileSync(path, 'latin1')
    return read.includes(`end delivery of ${id}`) ? read : undefined
  }, 10_000)
  assert.ok(text?.includes('SMTP<< RCPT TO:<u@test.example>'), text)
})
