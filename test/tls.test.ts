/** TLS through the real program: certificates made by openssl, a server, a client, and one Postern behind another. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { connectSmtp } from './support/smtp-client.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

const folder = temporaryFolder('tls')
const running: StartedServer[] = []
after(async () => {
  for (const server of running) await server.stop()
  folder.remove()
})
const skip = spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl on this machine'
const at = (name: string): string => join(folder.path, name)

function openssl(...args: string[]): void {
  const done = spawnSync('openssl', args, { encoding: 'utf8', cwd: folder.path })
  assert.equal(done.status, 0, done.stderr)
}

/** A certificate of our own authority for these names. */
function certificate(name: string, commonName: string, names: string): void {
  writeFileSync(at(`${name}.ext`), `subjectAltName=${names}\n`)
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
    '-subj',
    `/O=Test/CN=${commonName}`,
  )
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    `${name}.pem`,
    '-days',
    '30',
    '-extfile',
    `${name}.ext`,
  )
  for (const each of ['key', 'pem']) chmodSync(at(`${name}.${each}`), 0o644)
}
if (skip === false) {
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-subj',
    '/CN=Test authority',
    '-days',
    '30',
  )
  chmodSync(at('ca.pem'), 0o644)
  certificate('first', 'mail.example', 'DNS:mail.example,DNS:localhost')
  certificate('second', 'renewed.example', 'DNS:mail.example,DNS:localhost')
}

const common = `
primary_hostname = mail.example
host_lookup =
log_selector = +tls_peerdn +tls_sni +tls_certificate_verified +smtp_no_mail +pipelining
`
async function start(
  configuration: string,
  name: string,
  args: readonly string[] = [],
  port?: number,
): Promise<StartedServer> {
  const place = temporaryFolder(name)
  const server = await startServer({
    configuration,
    folder: place.path,
    arguments: args,
    ...(port === undefined ? {} : { port }),
  })
  running.push({ ...server, stop: async () => server.stop().then(() => place.remove()) })
  return server
}

/** Says STARTTLS and takes the connection into TLS, as a client with an optional certificate. */
async function encrypted(
  port: number,
  clientCertificate?: string,
): Promise<{ socket: TLSSocket; say(line: string): Promise<string> }> {
  const client = await connectSmtp(port)
  const ehlo = await client.say('EHLO client.example')
  assert.ok(ehlo.lines.includes('STARTTLS'), ehlo.raw)
  assert.equal((await client.say('STARTTLS')).code, 220)
  client.socket.removeAllListeners('data')
  const socket = connectTls({
    socket: client.socket,
    servername: 'mail.example',
    rejectUnauthorized: false,
    ...(clientCertificate === undefined
      ? {}
      : { cert: readText(`${clientCertificate}.pem`), key: readText(`${clientCertificate}.key`) }),
  })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  return {
    socket,
    async say(line) {
      socket.write(`${line}\r\n`)
      return new Promise((resolve) => socket.once('data', (bytes) => resolve(bytes.toString('latin1'))))
    },
  }
}
function readText(name: string): string {
  return spawnSync('cat', [at(name)], { encoding: 'utf8' }).stdout
}

const server =
  skip === false
    ? await start(
        `${common}
tls_certificate = ${at('first.pem')}
tls_privatekey = ${at('first.key')}
tls_verify_certificates = ${at('ca.pem')}
tls_try_verify_hosts = *
acl_smtp_rcpt = check
begin acl
check:
  warn condition = \${if def:tls_in_cipher}
       logwrite = seen: $tls_in_ver $tls_in_certificate_verified $tls_in_peerdn $tls_in_sni
  accept
begin routers
all:
  driver = redirect
  data = :blackhole:
`,
        'tls-server',
      )
    : undefined
const port = server?.port ?? 0

test('STARTTLS encrypts, and the log says with what and whether the certificate was good', {
  skip,
}, async () => {
  const client = await encrypted(port, 'second')
  assert.match(await client.say('EHLO client.example'), /^250-mail\.example Hello/)
  await client.say('MAIL FROM:<a@b.example>')
  await client.say('RCPT TO:<c@mail.example>')
  await client.say('DATA')
  assert.match(await client.say('Subject: x\r\n\r\nx\r\n.'), /^250 OK id=/)
  client.socket.destroy()
  const silent = await encrypted(port)
  await silent.say('EHLO client.example')
  await silent.say('QUIT')
  await server?.logged(
    /no MAIL in SMTP connection from \S+ \[127\.0\.0\.1\] D=\d+s X=TLS1\.3:\S+ CV=no SNI=\S+ C=EHLO,STARTTLS,EHLO,QUIT/,
  )
  await server?.logged(/seen: TLS1\.3 1 \/O=Test\/CN=renewed\.example mail\.example/)
  await server?.logged(
    /P=esmtps L\S* X=TLS1\.3:TLS_\w+:\d+ CV=yes DN="\/O=Test\/CN=renewed\.example" SNI=mail\.example S=\d+/,
  )
})

test('after STARTTLS everything said before is forgotten, and STARTTLS is not offered again', {
  skip,
}, async () => {
  const client = await encrypted(port)
  assert.match(await client.say('MAIL FROM:<a@b.example>'), /^503 HELO or EHLO required/)
  assert.doesNotMatch(await client.say('EHLO client.example'), /STARTTLS/)
  assert.match(await client.say('STARTTLS'), /^503 STARTTLS command used when not advertised/)
  client.socket.destroy()
})

test('what is sent in clear together with STARTTLS is never obeyed', { skip }, async () => {
  const client = await connectSmtp(port)
  await client.say('EHLO client.example')
  client.send('STARTTLS\r\nRSET\r\nMAIL FROM:<smuggled@b.example>\r\n')
  const replies: string[] = []
  client.socket.on('data', (bytes) => replies.push(bytes.toString('latin1')))
  await Promise.race([client.closed(), new Promise((resolve) => setTimeout(resolve, 1500))])
  client.end()
  assert.doesNotMatch(replies.join(''), /^250/m)
  assert.doesNotMatch(server?.log() ?? '', /smuggled/)
})

test('a certificate that was replaced is used from the next connection on', { skip }, async () => {
  const before = await encrypted(port)
  assert.equal(before.socket.getPeerCertificate().subject.CN, 'mail.example')
  before.socket.destroy()
  for (const each of ['key', 'pem']) renameSync(at(`second.${each}`), at(`first.${each}`))
  const renewed = await until(async () => {
    const client = await encrypted(port)
    const name = client.socket.getPeerCertificate().subject.CN
    client.socket.destroy()
    return name === 'renewed.example' ? true : undefined
  }, 5000)
  assert.equal(renewed, true)
})

test('a key that becomes readable is used from the next connection on', { skip }, async () => {
  const closed = at('closed')
  mkdirSync(closed)
  for (const name of ['key', 'pem']) copyFileSync(at(`first.${name}`), join(closed, `mail.${name}`))
  chmodSync(join(closed, 'mail.key'), 0)
  const started = await start(
    `${common}tls_certificate = ${closed}/mail.pem\ntls_privatekey = ${closed}/mail.key\n`,
    'tls-readable',
  )
  const refused = async (): Promise<number> => {
    const client = await connectSmtp(started.port)
    await client.say('EHLO client.example')
    const { code } = await client.say('STARTTLS')
    client.end()
    return code
  }
  assert.equal(await refused(), 454)
  // The owner repairs the mode; neither the file nor its time of modification change.
  chmodSync(join(closed, 'mail.key'), 0o644)
  const open = await encrypted(started.port)
  open.socket.destroy()
})

test('files in a folder that becomes accessible are used from the next connection on', { skip }, async () => {
  const closed = at('shut')
  mkdirSync(closed)
  for (const name of ['key', 'pem']) {
    copyFileSync(at(`first.${name}`), join(closed, `mail.${name}`))
    chmodSync(join(closed, `mail.${name}`), 0o644)
  }
  chmodSync(closed, 0)
  const started = await start(
    `${common}tls_certificate = ${closed}/mail.pem\ntls_privatekey = ${closed}/mail.key\n`,
    'tls-folder',
  )
  const client = await connectSmtp(started.port)
  await client.say('EHLO client.example')
  assert.equal((await client.say('STARTTLS')).code, 454)
  assert.equal((await client.say('QUIT')).code, 221)
  client.end()
  chmodSync(closed, 0o755)
  const open = await encrypted(started.port)
  open.socket.destroy()
})

test('TLS from the first byte on a port of tls_on_connect_ports', { skip }, async () => {
  const tlsPort = await freePort()
  const plain = await freePort()
  const on = await start(
    `${common}
tls_certificate = ${at('first.pem')}
tls_privatekey = ${at('first.key')}
tls_on_connect_ports = ${tlsPort}
daemon_smtp_ports = ${plain} : ${tlsPort}
local_interfaces = 127.0.0.1
acl_smtp_rcpt = accept
`,
    'tls-first',
    ['-oX', `<; 127.0.0.1.${plain} ; 127.0.0.1.${tlsPort}`],
    plain,
  )
  // It greets on the other port first.
  await on.logged(/for SMTPS on/)
  const socket = connectTls({ port: tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
  const greeting = await new Promise<string>((resolve) =>
    socket.once('data', (bytes) => resolve(bytes.toString())),
  )
  socket.destroy()
  assert.match(greeting, /^220 mail\.example ESMTP/)
  assert.match(on.log(), /for SMTPS on \[127\.0\.0\.1\]:/)
})

const relay = (options: string): string => `${common}
acl_smtp_rcpt = accept
begin routers
next:
  driver = manualroute
  route_list = * localhost
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${port}
  hosts = localhost
  allow_localhost
  hosts_override
  ${options}
begin retry
* * F,1h,10m
`
const outgoing = [
  {
    says: 'TLS is used where it is offered, and a good certificate is told',
    options: `tls_verify_certificates = ${at('ca.pem')}`,
    logged: /=> c@mail\.example R=next T=out H=localhost \[127\.0\.0\.1\] .*X=TLS1\.3:TLS_\w+:\d+ CV=yes /,
  },
  {
    says: 'a certificate that does not verify is told too, and the mail goes out',
    options: 'tls_verify_certificates = system',
    logged: /=> c@mail\.example .* X=TLS1\.3:TLS_\w+:\d+ CV=no /,
  },
  {
    says: 'tls_verify_hosts: without a good certificate nothing is sent when TLS is required',
    options: 'hosts_require_tls = *\n  tls_verify_hosts = *\n  tls_verify_certificates = system',
    logged: /== c@mail\.example .*TLS session: \(certificate verification failed\): /,
  },
  {
    says: 'hosts_avoid_tls',
    options: 'hosts_avoid_tls = *',
    logged: /=> c@mail\.example R=next T=out H=localhost \[127\.0\.0\.1\] (?!.*X=).*C="250/,
  },
]
for (const { says, options, logged } of outgoing) {
  test(`outgoing: ${says}`, { skip }, async () => {
    const front = await start(relay(options), 'tls-out')
    const client = await connectSmtp(front.port)
    await client.say('EHLO client.example')
    assert.equal((await client.deliver('a@b.example', ['c@mail.example'], 'Subject: x\n\nx\n')).code, 250)
    client.end()
    await front.logged(logged)
  })
}

test('outgoing: a host that offers no TLS gets nothing when TLS is required', { skip }, async () => {
  const bare = await start(
    `${common}\ntls_advertise_hosts =\nacl_smtp_rcpt = accept\nbegin routers\nall:\n  driver = redirect\n  data = :blackhole:\n`,
    'tls-bare',
  )
  const front = await start(
    relay('hosts_require_tls = *').replace(`port = ${port}`, `port = ${bare.port}`),
    'tls-out',
  )
  const client = await connectSmtp(front.port)
  await client.say('EHLO client.example')
  await client.deliver('a@b.example', ['c@mail.example'], 'Subject: x\n\nx\n')
  client.end()
  await front.logged(
    /== c@mail\.example .*a TLS session is required, but the server did not offer TLS support/,
  )
  assert.doesNotMatch(bare.log(), / <= /)
})
