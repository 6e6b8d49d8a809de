/** What the tls_... options ask for beyond certificates: protocols, resumption, revocations, faults of ours. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const skip = noOpenssl
const folder = temporaryFolder('tls-options')
const at = (name: string): string => `${folder.path}/${name}`
const running: StartedServer[] = []
let ca: TestAuthority
let server: StartedServer

before(async () => {
  if (skip !== false) return
  ca = new TestAuthority(folder.path)
  ca.leaf('mail.example')
  ca.leaf('revoked.example')
  ca.leaf('other.example')
  ca.proof('mail.der', 'mail.example', { signer: 'int' })
  ca.crl('int.crl', 'int', ['revoked.example'])
  ca.crl('ca.crl', 'ca', [])
  writeFileSync(at('crl.pem'), Buffer.concat([ca.read('int.crl'), ca.read('ca.crl')]))
  server = await start(`${certificate('mail.example')}
tls_ocsp_file = ${at('mail.der')}
tls_resumption_hosts = *
tls_remember_esmtp = true
tls_verify_certificates = ${at('ca.pem')}
tls_crl = ${at('crl.pem')}
tls_verify_hosts = \${if eq{$sender_helo_name}{demand}{*}{:}}
hosts_require_alpn = \${if eq{$sender_helo_name}{alpn}{*}{:}}
log_selector = +tls_resumption +tls_certificate_verified
event_action = \${if eq{$event_name}{tls:fail:connect}{\${acl{told}}}}
acl_smtp_rcpt = accept logwrite = resumption: $tls_in_resumption
begin acl
told:
  accept logwrite = event: $event_data
begin routers
all:
  driver = redirect
  data = :blackhole:
`)
})
after(async () => {
  for (const each of running) await each.stop()
  folder.remove()
})

function certificate(name: string): string {
  return `tls_certificate = ${at(`${name}.chain`)}\ntls_privatekey = ${at(`${name}.key`)}\n`
}

async function start(configuration: string): Promise<StartedServer> {
  const place = temporaryFolder('tls-options-server')
  const started = await startServer({
    configuration: `primary_hostname = mail.example\nhost_lookup =\n${configuration}`,
    folder: place.path,
    arguments: [],
  })
  running.push({ ...started, stop: async () => started.stop().then(() => place.remove()) })
  return started
}

type Encrypted = { readonly socket: TLSSocket; say(line: string): Promise<string> }
/** Undefined: the handshake failed, or the server closed after it. */
async function encrypted(
  port: number,
  options: ConnectionOptions,
  helo = 'client.example',
): Promise<Encrypted | undefined> {
  const client = await connectSmtp(port)
  await client.say(`EHLO ${helo}`)
  assert.equal((await client.say('STARTTLS')).code, 220)
  client.socket.removeAllListeners('data')
  const socket = connect({
    socket: client.socket,
    servername: 'mail.example',
    rejectUnauthorized: false,
    ...options,
  })
  const good = await new Promise<boolean>((resolve) =>
    socket.once('secureConnect', () => resolve(true)).on('error', () => resolve(false)),
  )
  if (!good) return undefined
  return {
    socket,
    say(line) {
      socket.write(`${line}\r\n`)
      return new Promise((resolve) => {
        socket.once('data', (bytes) => resolve(bytes.toString('latin1')))
        socket.once('close', () => resolve(''))
      })
    },
  }
}

const protocols = [
  { says: 'none', alpn: undefined, good: true },
  { says: 'smtp', alpn: ['smtp'], good: true, agreed: 'smtp' },
  { says: 'esmtp', alpn: ['esmtp'], good: true, agreed: 'esmtp' },
  { says: 'a browser', alpn: ['h2', 'http/1.1'], good: false },
  { says: 'one that is not in the list', alpn: ['imap'], good: false },
  { says: 'several, one in the list', alpn: ['smtp', 'h2'], good: false },
  { says: 'none where hosts_require_alpn wants one', alpn: undefined, helo: 'alpn', good: false },
  {
    says: 'one where hosts_require_alpn wants one',
    alpn: ['smtp'],
    helo: 'alpn',
    good: true,
    agreed: 'smtp',
  },
]
for (const c of protocols) {
  test(`tls_alpn: a client that names ${c.says} is ${c.good ? 'served' : 'turned away'}`, {
    skip,
  }, async () => {
    const before = server.log().length
    const client = await encrypted(server.port, c.alpn === undefined ? {} : { ALPNProtocols: c.alpn }, c.helo)
    assert.equal(client !== undefined, c.good)
    if (c.agreed !== undefined) assert.equal(client?.socket.alpnProtocol, c.agreed)
    client?.socket.destroy()
    if (c.good) return
    await until(() => (server.log().slice(before).includes('(ALPN)') ? true : undefined), 5000)
    assert.match(server.log().slice(before), /TLS error on connection from .*\(SSL_accept\): .*\(ALPN\)/)
  })
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`tls_resumption_hosts: a session goes on, ${version}`, { skip }, async () => {
    let session: Buffer | undefined
    const options = {
      minVersion: version,
      maxVersion: version,
      ...(session === undefined ? {} : { session }),
    }
    const first = await encrypted(server.port, options)
    first?.socket.on('session', (given: Buffer) => (session = given))
    assert.match((await first?.say('EHLO client.example')) ?? '', /^250/)
    await until(() => (session ??= version === 'TLSv1.2' ? first?.socket.getSession() : undefined), 5000)
    first?.socket.destroy()
    assert.ok(session)
    const second = await encrypted(server.port, { ...options, session })
    assert.equal(second?.socket.isSessionReused(), true)
    await second?.say('EHLO client.example')
    await second?.say('MAIL FROM:<a@b.example>')
    await second?.say('RCPT TO:<c@d.example>')
    await second?.say('DATA')
    assert.match((await second?.say('x: y\r\n\r\n.')) ?? '', /^250/)
    second?.socket.destroy()
    await server.logged(new RegExp(`<= a@b\\.example .*X=${version.replace('v', '')}:\\S+\\* CV=no`))
    await server.logged(/resumption: 31/)
  })
}

test('without tls_resumption_hosts no session goes on', { skip }, async () => {
  const plain = await start(`${certificate('mail.example')}acl_smtp_rcpt = accept\n`)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    let session: Buffer | undefined
    const options = { minVersion: version, maxVersion: version }
    const first = await encrypted(plain.port, options)
    first?.socket.on('session', (given: Buffer) => (session = given))
    await first?.say('EHLO client.example')
    first?.socket.destroy()
    const second = await encrypted(plain.port, { ...options, ...(session === undefined ? {} : { session }) })
    assert.equal(second?.socket.isSessionReused(), false)
    second?.socket.destroy()
  }
})

test('tls_remember_esmtp bears with a client that says no EHLO again', { skip }, async () => {
  const client = await encrypted(server.port, {})
  assert.match((await client?.say('MAIL FROM:<remembered@b.example>')) ?? '', /^250/)
  await client?.say('RCPT TO:<c@d.example>')
  await client?.say('DATA')
  await client?.say('x: y\r\n\r\n.')
  client?.socket.destroy()
  await server.logged(/<= remembered@b\.example .*P=esmtps/)
})

const clients = [
  { says: 'a good one', name: 'other.example', good: true },
  { says: 'none', name: undefined, good: false, why: /no certificate was presented/ },
  { says: 'a revoked one: tls_crl', name: 'revoked.example', good: false, why: /revoked/ },
]
for (const c of clients) {
  test(`tls_verify_hosts: a client certificate is demanded: ${c.says}`, { skip }, async () => {
    const own =
      c.name === undefined ? {} : { cert: ca.read(`${c.name}.chain`), key: ca.read(`${c.name}.key`) }
    const client = await encrypted(server.port, own, 'demand')
    const reply = (await client?.say('NOOP')) ?? ''
    client?.socket.destroy()
    assert.equal(reply.startsWith('250'), c.good, reply)
    if (c.why === undefined) return
    await server.logged(new RegExp(`\\(SSL_accept\\): .*${c.why.source}`))
    await server.logged(new RegExp(`event: .*${c.why.source}`))
  })
}

test('without tls_certificate STARTTLS is offered with a certificate that the server makes for itself', async () => {
  const bare = await start('# no tls_certificate\nacl_smtp_rcpt = accept\n')
  const client = await connectSmtp(bare.port)
  assert.match((await client.say('EHLO client.example')).raw, /^250.STARTTLS\r$/m)
  assert.equal((await client.say('STARTTLS')).code, 220)
  const secured = connect({ socket: client.socket, rejectUnauthorized: false })
  await new Promise<void>((resolve, reject) =>
    secured.once('secureConnect', () => resolve()).once('error', reject),
  )
  const certificate = secured.getPeerX509Certificate()
  assert.ok(certificate)
  assert.ok(certificate.verify(certificate.publicKey))
  assert.equal(certificate.checkHost('mail.example'), 'mail.example')
  assert.ok(Date.parse(certificate.validTo) > Date.now())
  secured.destroy()
  await bare.logged(/Warning: No server certificate defined; will use a selfsigned one\. Suggested action:/)
})

test('without a usable certificate STARTTLS is answered 454, and then only QUIT is served', {
  skip,
}, async () => {
  const broken = await start('tls_certificate = /nonexistent/cert.pem\nacl_smtp_rcpt = accept\n')
  const client = await connectSmtp(broken.port)
  await client.say('EHLO client.example')
  assert.equal((await client.say('STARTTLS')).raw, '454 TLS currently unavailable\r\n')
  assert.equal((await client.say('MAIL FROM:<a@b.example>')).raw, '554 Security failure\r\n')
  assert.equal((await client.say('EHLO client.example')).raw, '554 Security failure\r\n')
  assert.equal((await client.say('QUIT')).code, 221)
  client.end()
  await broken.logged(/TLS error on connection from .*\(SSL_accept\): .*\/nonexistent\/cert\.pem/)
})

test('a renewal that is half done leaves the old certificate in use, and the panic log tells', {
  skip,
}, async () => {
  for (const end of ['chain', 'key']) copyFileSync(at(`mail.example.${end}`), at(`live.${end}`))
  const live = await start(`${certificate('live')}acl_smtp_rcpt = accept\n`)
  const shown = async (): Promise<string | undefined> => {
    const client = await encrypted(live.port, {})
    const name = client?.socket.getPeerCertificate().subject.CN
    client?.socket.destroy()
    return String(name)
  }
  assert.equal(await shown(), 'mail.example')
  const renew = (end: string): void => {
    copyFileSync(at(`other.example.${end}`), at('live.new'))
    renameSync(at('live.new'), at(`live.${end}`))
  }
  renew('chain')
  assert.equal(await shown(), 'mail.example')
  const told = await until(() => (live.log('panic') === '' ? undefined : live.log('panic')), 5000)
  assert.match(
    told ?? '',
    /changed TLS files cannot be used, so what was there before stays in use: .*key values mismatch/,
  )
  renew('key')
  assert.equal(await shown(), 'other.example')
})

test('the name a client asks for never names a file by itself', { skip }, async () => {
  const named =
    await start(`tls_certificate = \${if def:tls_in_sni{${folder.path}/$tls_in_sni.chain}{${at('mail.example.chain')}}}
tls_privatekey = ${at('mail.example.key')}
acl_smtp_rcpt = accept
`)
  const client = await encrypted(named.port, { servername: 'other.example' })
  assert.equal(client?.socket.getPeerCertificate().subject.CN, 'mail.example')
  client?.socket.destroy()
  await named.logged(
    /no TLS certificate for the name "other\.example" that .* asks for, so the usual one is shown: Tainted name '\S+other\.example\.chain' for file read not permitted \(tls_certificate\)/,
  )
})

test('openssl_options and tls_dh_max_bits are looked at when the configuration is read', () => {
  writeFileSync(at('wrong.conf'), 'openssl_options = +no_such_thing\ntls_dh_max_bits = 512\n')
  const { status, stdout, stderr } = spawnSync(postern, ['-C', at('wrong.conf'), '-bV'], { encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stdout + stderr, /openssl_option unrecognised: "\+no_such_thing"/)
})

/** A message through a server of ours with these options of its smtp transport. */
async function relay(port: number, options: string, messages = 1): Promise<StartedServer> {
  const front = await start(`acl_smtp_rcpt = accept
log_selector = +tls_resumption +tls_certificate_verified
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
  ${options}
begin retry
* * F,1h,10m
`)
  for (let i = 0; i < messages; i++) {
    const smtp = await connectSmtp(front.port)
    await smtp.say('EHLO client.example')
    assert.equal((await smtp.deliver('a@b.example', [`m${i}@mail.example`], 'Subject: x\n\nx\n')).code, 250)
    smtp.end()
    await front.logged(new RegExp(`(?:=>|==) m${i}@mail\\.example`))
  }
  return front
}

test('outgoing: tls_resumption_hosts goes on with a session, also where hosts_require_ocsp saw a good proof', {
  skip,
}, async () => {
  const common = `tls_verify_certificates = ${at('ca.pem')}\n  connection_max_messages = 1\n  tls_resumption_hosts = *`
  const plain = await relay(server.port, common, 2)
  assert.match(plain.log(), /=> m0@mail\.example .*X=TLS1\.3:[^* ]+ CV=yes/)
  assert.match(plain.log(), /=> m1@mail\.example .*X=TLS1\.3:\S+\* CV=yes/)
  const older = await relay(
    server.port,
    `${common}\n  tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2`,
    3,
  )
  assert.match(older.log(), /=> m0@mail\.example .*X=TLS1\.2:[^* ]+ CV=yes/)
  for (const m of ['m1', 'm2'])
    assert.match(older.log(), new RegExp(String.raw`=> ${m}@mail\.example .*X=TLS1\.2:\S+\* CV=yes`))
  const strict = await relay(server.port, `${common}\n  hosts_require_ocsp = *`, 2)
  assert.match(strict.log(), /=> m1@mail\.example .*X=TLS1\.3:\S+\* CV=yes/)
  const without = await relay(server.port, common.replace('  tls_resumption_hosts = *', ''), 2)
  assert.match(without.log(), /=> m1@mail\.example .*X=TLS1\.3:[^* ]+ CV=yes/)
})

test('outgoing: tls_crl', { skip }, async () => {
  const revoked = await start(
    `${certificate('revoked.example')}acl_smtp_rcpt = accept\nbegin routers\nall:\n  driver = redirect\n  data = :blackhole:\n`,
  )
  const common = `tls_verify_certificates = ${at('ca.pem')}\n  tls_crl = ${at('crl.pem')}`
  const looked = await relay(revoked.port, common)
  assert.match(looked.log(), /=> m0@mail\.example .* CV=no/)
  const demanded = await relay(revoked.port, `${common}\n  tls_verify_hosts = *\n  hosts_require_tls = *`)
  assert.match(
    demanded.log(),
    /== m0@mail\.example .* defer \(-37\) .*: TLS session: \(certificate verification failed\): CERT_REVOKED/,
  )
})

test('outgoing: tls_alpn and hosts_require_alpn', { skip }, async () => {
  const agreed = await relay(
    server.port,
    'tls_alpn = smtp\n  hosts_require_alpn = *\n  hosts_require_tls = *',
  )
  assert.match(agreed.log(), /=> m0@mail\.example .*X=TLS1\.3/)
  // Where none is named there is nothing to agree on.
  const none = await relay(server.port, 'hosts_require_alpn = *\n  hosts_require_tls = *')
  assert.match(none.log(), /=> m0@mail\.example .*X=TLS1\.3/)
})

test('outgoing: what a server says in clear after its 220 is never believed', { skip }, async () => {
  const heard: string[] = []
  const sink = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('220 trap ESMTP\r\n')
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      heard.push(text)
      if (text.startsWith('EHLO')) socket.write('250-trap\r\n250 STARTTLS\r\n')
      if (text.startsWith('STARTTLS')) socket.write('220 go on\r\n250-trap\r\n250 AUTH PLAIN\r\n')
    })
  })
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve))
  const address = sink.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const front = await relay(port, 'hosts_require_tls = *')
  sink.close()
  assert.match(front.log(), /== m0@mail\.example .*data in clear followed the answer to STARTTLS/)
  assert.ok(!heard.some((text) => /^MAIL|^AUTH/m.test(text)), heard.join(''))
})

test('tls:cert: an event action refuses a certificate, in and out', { skip }, async () => {
  const strict = await start(`${certificate('mail.example')}
tls_verify_certificates = ${at('ca.pem')}
tls_verify_hosts = *
event_action = \${if and{{eq{$event_name}{tls:cert}}{eq{$event_data}{0}}{eq{$sender_helo_name}{unwanted}}}{not this one}}
acl_smtp_rcpt = accept
`)
  const own = { cert: ca.read('other.example.chain'), key: ca.read('other.example.key') }
  const good = await encrypted(strict.port, own)
  assert.match((await good?.say('NOOP')) ?? '', /^250/)
  good?.socket.destroy()
  const bad = await encrypted(strict.port, own, 'unwanted')
  assert.equal((await bad?.say('NOOP')) ?? '', '')
  bad?.socket.destroy()
  await strict.logged(/\(SSL_accept\): the certificate at depth 0 is refused by event_action: not this one/)
  const refuse =
    'event_action = ${if and{{eq{$event_name}{tls:cert}}{eq{$event_data}{1}}}{no such authority}}'
  const common = `tls_verify_certificates = ${at('ca.pem')}\n  ${refuse}`
  const looked = await relay(server.port, common)
  assert.match(looked.log(), /=> m0@mail\.example .* CV=no/)
  const demanded = await relay(server.port, `${common}\n  tls_verify_hosts = *\n  hosts_require_tls = *`)
  assert.match(
    demanded.log(),
    /== m0@mail\.example .*the certificate at depth 1 is refused by event_action: no such authority/,
  )
})

/** Takes all mail over TLS, and calls itself by the port of the client: `n0` or `n1`. */
const twoNames = (): string => `${certificate('mail.example')}
tls_resumption_hosts = *
smtp_active_hostname = n\${eval:($sender_host_port / 2) % 2}.example
acl_smtp_rcpt = accept logwrite = \${if def:tls_in_cipher{TLS}{clear}} $smtp_active_hostname resumption $tls_in_resumption
begin routers
all:
  driver = redirect
  data = :blackhole:
`

test('host_name_extract: sessions of several servers behind one name are kept apart', { skip }, async () => {
  const options = `tls_verify_certificates = ${at('ca.pem')}\n  connection_max_messages = 1\n  tls_resumption_hosts = *`
  for (const [extract, apart] of [
    ['host_name_extract = ${if match{$item}{\\N^250-(n\\d)\\.\\N}{$1}}', true],
    ['host_name_extract =', false],
  ] as const) {
    const behind = await start(twoNames())
    await relay(behind.port, `${options}\n  ${extract}`, 10)
    const seen = [...behind.log().matchAll(/TLS (n\d)\.example resumption (\d+)/g)]
    assert.equal(seen.length, 10, behind.log())
    const before = new Map<string, number>()
    for (const [, name = '', bits] of seen) {
      const kind = apart ? name : ''
      const times = before.get(kind) ?? 0
      before.set(kind, times + 1)
      // A ticket is used once, and a session that went on brings no other.
      assert.equal((Number(bits) & 16) !== 0, times % 2 === 1, behind.log())
    }
  }
})

test('hosts_verify_avoid_tls: a callout is in clear, the delivery is not', { skip }, async () => {
  const behind = await start(twoNames())
  const front = await start(`acl_smtp_rcpt = ask
begin acl
ask:
  require verify = recipient/callout=no_cache
  accept
begin routers
all:
  driver = manualroute
  route_list = * localhost
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${behind.port}
  hosts_verify_avoid_tls = *
`)
  const smtp = await connectSmtp(front.port)
  await smtp.say('EHLO client.example')
  assert.equal((await smtp.deliver('a@b.example', ['c@d.example'], 'Subject: x\n\nx\n')).code, 250)
  smtp.end()
  await front.logged(/=> c@d\.example .*X=TLS1\.3/, 30_000)
  const seen = [...behind.log().matchAll(/(TLS|clear) n\d\.example resumption/g)].map(([, how]) => how)
  assert.deepEqual(seen, ['clear', 'TLS'])
})

for (const [says, option, together] of [
  ['without them a connection with TLS carries what waits', '', true],
  ['hosts_nopass_tls', 'hosts_nopass_tls = *', false],
  ['hosts_noproxy_tls', 'hosts_noproxy_tls = *', false],
] as const) {
  test(`hosts_nopass_tls and hosts_noproxy_tls: ${says}`, { skip }, async () => {
    const port = await freePort()
    const place = temporaryFolder('nopass')
    const front = await startServer({
      folder: place.path,
      arguments: [],
      configuration: `primary_hostname = mail.example
acl_smtp_rcpt = accept
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${port}
  tls_try_verify_hosts = :
  ${option}
begin retry
* * F,1h,1h
`,
    })
    try {
      const smtp = await connectSmtp(front.port)
      await smtp.say('EHLO client.example')
      for (const to of ['w0@d.example', 'w1@d.example'])
        assert.equal((await smtp.deliver('a@b.example', [to], 'Subject: x\n\nx\n')).code, 250)
      await front.logged(/== w0@d\.example/, 30_000)
      await front.logged(/== w1@d\.example/, 30_000)
      const behindPlace = temporaryFolder('nopass-behind')
      const behind = await startServer({
        folder: behindPlace.path,
        port,
        arguments: [],
        configuration: `primary_hostname = mail.example\nhost_lookup =\n${twoNames()}`,
      })
      running.push({ ...behind, stop: async () => behind.stop().then(() => behindPlace.remove()) })
      assert.equal((await smtp.deliver('a@b.example', ['now@d.example'], 'Subject: x\n\nx\n')).code, 250)
      smtp.end()
      const id = await front.logged(/(\S+) == now@d\.example/, 30_000)
      front.command('-M', id[1] ?? '')
      await front.logged(/=> now@d\.example .*\] X=TLS/, 30_000)
      if (together) {
        await front.logged(/=> w0@d\.example .*\]\* X=TLS/, 30_000)
        await front.logged(/=> w1@d\.example .*\]\* X=TLS/, 30_000)
      } else assert.equal(front.command('-bpc').stdout, '2\n')
    } finally {
      await front.stop()
      place.remove()
    }
  })
}
