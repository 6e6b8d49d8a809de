/** The dovecot authenticator before a real Dovecot, all its mechanisms that need no more than a password file. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createServer as createTlsServer, type Server } from 'node:tls'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { after, before, test } from 'node:test'
import { type Fetched, fetchDebian } from './support/debian.ts'
import { type Dovecot, startDovecot } from './support/dovecot.ts'
import { freePort, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const fetched: Fetched = fetchDebian(['dovecot-core', 'libnss-wrapper'])
const root = 'root' in fetched ? fetched.root : ''
const folder = temporaryFolder('dovecot')
const at = (name: string): string => `${folder.path}/${name}`
const socket = at('auth-client')
let dovecot: Dovecot | undefined
let front: Server | undefined
let server: StartedServer
let overTcp: StartedServer
/** Its service on TCP ports, in clear and with TLS. */
const ports = { clear: 0, tls: 0 }
/** Why there is none here. */
let missing: string | undefined = 'missing' in fetched ? fetched.missing : undefined

before(async () => {
  if (missing !== undefined) return
  await startAll()
  if (missing !== undefined) return
  server = await started('unix', mechanisms())
  overTcp = await started('tcp', tcpMechanisms())
})
after(async () => {
  await overTcp?.stop()
  await server?.stop()
  await dovecot?.stop()
  front?.close()
  folder.remove()
})

function started(name: string, authenticators: string): Promise<StartedServer> {
  const home = at(name)
  mkdirSync(home, { mode: 0o755 })
  return startServer({
    folder: home,
    arguments: [],
    configuration: `
primary_hostname = mx.example
host_lookup =
acl_smtp_rcpt = accept
acl_smtp_mail = told
begin acl
told:
  accept logwrite = as: $authenticated_id
begin authenticators
${authenticators}`,
  })
}

function mechanisms(): string {
  return ['PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-256']
    .map(
      (name) => `d_${name.toLowerCase().replaceAll('-', '_')}:
  driver = dovecot
  public_name = ${name}
  server_socket = ${socket}
  server_set_id = $auth1
`,
    )
    .join('')
}

function tcpMechanisms(): string {
  return `d_tcp:
  driver = dovecot
  public_name = PLAIN
  server_socket = 127.0.0.1 ${ports.clear}
  server_set_id = tcp $auth1
d_tls:
  driver = dovecot
  public_name = LOGIN
  server_socket = 127.0.0.1 ${ports.tls}
  server_tls
  server_set_id = tls $auth1
d_not_tls:
  driver = dovecot
  public_name = CRAM-MD5
  server_socket = 127.0.0.1 ${ports.tls}
`
}

async function startAll(): Promise<void> {
  ports.clear = await freePort()
  const made = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=dovecot.example'],
      ...['-keyout', at('key.pem'), '-out', at('cert.pem')],
    ],
    { encoding: 'utf8' },
  )
  assert.equal(made.status, 0, made.stderr)
  // Unpacked and not installed, Dovecot does not find its own TLS: the TLS of a front end stands for it.
  front = createTlsServer(
    { cert: readFileSync(at('cert.pem')), key: readFileSync(at('key.pem')) },
    (secure) => {
      const behind = connect(ports.clear, '127.0.0.1')
      for (const each of [secure, behind]) each.on('error', () => undefined)
      secure.pipe(behind).pipe(secure)
    },
  )
  front.on('tlsClientError', () => undefined)
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  const address = front.address()
  ports.tls = typeof address === 'object' && address !== null ? address.port : 0
  writeFileSync(at('users'), 'ph10:{PLAIN}secret::::::\n')
  const started = await startDovecot(
    root,
    folder.path,
    `auth_mechanisms = plain login cram-md5 scram-sha-256
protocols =
listen = 127.0.0.1
disable_plaintext_auth = no
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${at('users')}
}
service auth {
  chroot =
  user = ${userInfo().username}
  unix_listener client {
    path = ${socket}
    mode = 0666
  }
  inet_listener client {
    address = 127.0.0.1
    port = ${ports.clear}
  }
}
`,
    socket,
  )
  if ('missing' in started) missing = started.missing
  else dovecot = started
}

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')
const plain = (text: string): string => Buffer.from(text, 'base64').toString('latin1')

async function greeted(): Promise<SmtpClient> {
  const client = await connectSmtp(server.port)
  const ehlo = await client.say('EHLO client.example')
  assert.match(ehlo.raw, /AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256/)
  return client
}

const dialogues: readonly {
  readonly says: string
  readonly run: (client: SmtpClient) => Promise<string>
  readonly want: RegExp
}[] = [
  {
    says: 'PLAIN, the right password',
    run: async (client) => (await client.say(`AUTH PLAIN ${base64('\0ph10\0secret')}`)).raw,
    want: /^235 /,
  },
  {
    says: 'PLAIN, a wrong password',
    run: async (client) => (await client.say(`AUTH PLAIN ${base64('\0ph10\0wrong')}`)).raw,
    want: /^535 Incorrect authentication data/,
  },
  {
    says: 'PLAIN after a prompt',
    run: async (client) => {
      assert.equal((await client.say('AUTH PLAIN')).code, 334)
      return (await client.say(base64('\0ph10\0secret'))).raw
    },
    want: /^235 /,
  },
  {
    says: 'LOGIN',
    run: async (client) => {
      assert.equal(plain((await client.say('AUTH LOGIN')).raw.slice(4).trim()), 'Username:')
      assert.equal(plain((await client.say(base64('ph10'))).raw.slice(4).trim()), 'Password:')
      return (await client.say(base64('secret'))).raw
    },
    want: /^235 /,
  },
  {
    says: 'CRAM-MD5',
    run: async (client) => {
      const challenge = plain((await client.say('AUTH CRAM-MD5')).raw.slice(4).trim())
      const digest = createHmac('md5', 'secret').update(challenge).digest('hex')
      return (await client.say(base64(`ph10 ${digest}`))).raw
    },
    want: /^235 /,
  },
  {
    says: 'SCRAM-SHA-256, where the name is unknown',
    run: async (client) => {
      const first = await client.say(`AUTH SCRAM-SHA-256 ${base64('n,,n=nobody,r=abcdefghij')}`)
      if (first.code !== 334) return first.raw
      const [, nonce = ''] = /r=([^,]+)/.exec(plain(first.raw.slice(4).trim())) ?? []
      return (await client.say(base64(`c=biws,r=${nonce},p=${base64('x'.repeat(32))}`))).raw
    },
    want: /^(535|435) /,
  },
]
for (const { says, run, want } of dialogues) {
  test(`a real Dovecot: ${says}`, async (t) => {
    if (missing !== undefined) return t.skip(missing)
    const client = await greeted()
    assert.match(await run(client), want)
    client.end()
  })
}

test('a real Dovecot gives the name: $authenticated_id', async (t) => {
  if (missing !== undefined) return t.skip(missing)
  const client = await greeted()
  await client.say(`AUTH PLAIN ${base64('\0ph10\0secret')}`)
  await client.say('MAIL FROM:<a@b.example>')
  client.end()
  await server.logged(/as: ph10$/m)
})

for (const { says, run, want } of [
  {
    says: 'over TCP',
    run: async (client: SmtpClient) => (await client.say(`AUTH PLAIN ${base64('\0ph10\0secret')}`)).raw,
    want: /^235 /,
  },
  {
    says: 'over TCP with TLS (server_tls)',
    run: async (client: SmtpClient) => {
      await client.say('AUTH LOGIN')
      await client.say(base64('ph10'))
      return (await client.say(base64('secret'))).raw
    },
    want: /^235 /,
  },
  {
    says: 'in clear where it wants TLS: not now',
    run: async (client: SmtpClient) => (await client.say('AUTH CRAM-MD5')).raw,
    want: /^435 /,
  },
]) {
  test(`a real Dovecot: ${says}`, { timeout: 120_000 }, async (t) => {
    if (missing !== undefined) return t.skip(missing)
    const client = await connectSmtp(overTcp.port)
    await client.say('EHLO tcp.example')
    assert.match(await run(client), want)
    if (want.source.includes('235')) {
      await client.say('MAIL FROM:<a@b.example>')
      await overTcp.logged(new RegExp(`as: ${says.includes('TLS') ? 'tls' : 'tcp'} ph10$`, 'm'))
    }
    client.end()
  })
}
