/** Postern behind a real HAProxy: both versions of the header, health checks, and TLS that ends at the proxy. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { noOpenssl, selfSigned } from './support/certificates.ts'
import { fetchDebian, wrapper } from './support/debian.ts'
import { connectRaw } from './support/proxied-client.ts'
import { freePort, type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const fetched = fetchDebian(['haproxy'])
const skip = 'missing' in fetched ? fetched.missing : noOpenssl

const folder = temporaryFolder('haproxy')
/** HAProxy calls from this address; clients call it at 127.0.0.1, some from 127.0.0.9. */
const proxy = '127.0.0.3'
let server: StartedServer
let haproxy: ChildProcess | undefined
let ports: Readonly<Record<'v1' | 'v2' | 'tls' | 'checked', number>>
let output = ''

before(async () => {
  if ('missing' in fetched || skip !== false) return
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `
primary_hostname = mail.example.net
queue_only = true
tls_advertise_hosts =
hosts_proxy = ${proxy}
host_lookup =
log_selector = +proxy +incoming_port +smtp_connection
acl_smtp_connect = check_connect
acl_smtp_rcpt = accept
begin acl
check_connect:
  accept logwrite = CLIENT $sender_host_address:$sender_host_port PROXY $proxy_local_address TARGET $proxy_external_address:$proxy_external_port
         logwrite = SNI $proxy_tlv_authority TLS $proxy_tlv_ssl_version $proxy_tlv_ssl_cipher $proxy_tlv_ssl_cn verify=$proxy_tlv_ssl_verify id=$proxy_tlv_unique_id
`,
  })
  makeCertificates()
  ports = { v1: await freePort(), v2: await freePort(), tls: await freePort(), checked: await freePort() }
  const file = join(folder.path, 'haproxy.cfg')
  writeFileSync(file, haproxyConfiguration())
  haproxy = spawn(wrapper(fetched.root, 'usr/sbin/haproxy'), ['-f', file, '-db'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  haproxy.stdout?.on('data', (bytes: Buffer) => (output += bytes.toString()))
  haproxy.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const up = await until(async () => {
    if (haproxy?.exitCode !== null) return false
    try {
      const client = await connectSmtp(ports.v1, '127.0.0.1', 2000)
      client.end()
      return true
    } catch {
      return undefined
    }
  }, 10_000)
  if (up !== true) await server.stop()
  assert.equal(up, true, output)
})
after(async () => {
  haproxy?.kill('SIGKILL')
  if (skip === false) await server.stop()
  folder.remove()
})

/** A certificate for the proxy, and one with which a client calls it. */
function makeCertificates(): void {
  for (const [name, subject] of [
    ['proxy', '/CN=mail.example.net'],
    ['client', '/CN=Ann Client'],
  ] as const) {
    selfSigned(folder.path, name, subject)
  }
  writeFileSync(join(folder.path, 'proxy.pem'), text('proxy.crt') + text('proxy.key'))
}
function text(name: string): string {
  return readFileSync(join(folder.path, name), 'latin1')
}

function haproxyConfiguration(): string {
  const to = `127.0.0.1:${server.port} source ${proxy}`
  return `
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen smtp1
    bind 127.0.0.1:${ports.v1}
    server mail ${to} send-proxy
listen smtp2
    bind 127.0.0.1:${ports.v2}
    option smtpchk HELO proxy.example.net
    server mail ${to} send-proxy-v2 check check-send-proxy inter 100ms
listen checked
    bind 127.0.0.1:${ports.checked}
    server mail ${to} send-proxy-v2 check inter 100ms
listen smtps
    bind 127.0.0.1:${ports.tls} ssl crt ${folder.path}/proxy.pem ca-file ${folder.path}/client.crt verify optional
    unique-id-format conn-%rt
    server mail ${to} send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,authority,unique-id,crc32c
`
}

async function sendThrough(port: number): Promise<{ readonly log: string; readonly from: number }> {
  const before = server.log().length
  const client = await connectRaw(port, [], { from: '127.0.0.9' })
  await client.hears(/^220 mail\.example\.net /)
  assert.match(await client.say('EHLO client.example.net'), /Hello client\.example\.net \[127\.0\.0\.9\]/)
  for (const line of ['MAIL FROM:<me@example.net>', 'RCPT TO:<you@example.net>', 'DATA'])
    await client.say(line)
  assert.match(await client.say('Subject: a\r\n\r\nb\r\n.'), /^250 OK/)
  assert.match(await client.say('QUIT'), /^221 /)
  await until(() => (/closed by QUIT/.test(server.log().slice(before)) ? true : undefined), 3000)
  return { log: server.log().slice(before), from: client.port }
}

for (const version of ['v1', 'v2'] as const) {
  test(`mail comes through HAProxy with a header of ${version}`, { skip }, async () => {
    const { log, from } = await sendThrough(ports[version])
    assert.ok(
      log.includes(`CLIENT 127.0.0.9:${from} PROXY ${proxy} TARGET 127.0.0.1:${ports[version]}\n`),
      log,
    )
    const received = new RegExp(
      `<= me@example\\.net H=\\(client\\.example\\.net\\) \\[127\\.0\\.0\\.9\\]:${from} P=esmtp PRX=127\\.0\\.0\\.3 S=\\d+\n`,
    )
    assert.match(log, received)
  })
}

test('health checks of HAProxy find us well and leave no line of ours', { skip }, async () => {
  const before = server.log().length
  await new Promise((resolve) => setTimeout(resolve, 700))
  const lines = server
    .log()
    .slice(before)
    .split('\n')
    .filter((line) => line !== '')
  // The ACL of this test writes its two lines for each; that is its own wish.
  for (const line of lines)
    assert.match(line, / (CLIENT 127\.0\.0\.3:\d+ PROXY 127\.0\.0\.3 TARGET|SNI  TLS)/)
  assert.ok(lines.length >= 4, lines.join('\n'))
  assert.equal(server.log('reject'), '')
  assert.doesNotMatch(output, /DOWN/)
})

test('TLS ends at HAProxy, whose fields tell of it', { skip }, async () => {
  const before = server.log().length
  const socket = connectTls({
    port: ports.tls,
    host: '127.0.0.1',
    servername: 'smtp.example.net',
    rejectUnauthorized: false,
    cert: text('client.crt'),
    key: text('client.key'),
  })
  const heard = await new Promise<string>((resolve, reject) => {
    socket.once('data', (bytes) => resolve(bytes.toString('latin1')))
    socket.once('error', reject)
  })
  socket.destroy()
  assert.match(heard, /^220 mail\.example\.net /)
  const pattern = /SNI smtp\.example\.net TLS TLSv1\.3 TLS_\w+ Ann Client verify=0 id=conn-/
  await until(() => (pattern.test(server.log().slice(before)) ? true : undefined), 3000)
  assert.match(server.log().slice(before), pattern)
})
