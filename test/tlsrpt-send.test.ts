/**
 * TLS reports that are sent: by mail to a server of the test, over https to a web server of the test, to whom the DNS
 * of the test names. RFC 8460 sections 3 and 5.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import PostalMime from 'postal-mime'
import { openHints } from '../src/store/hints/index.ts'
import { countTlsSession, type TlsSession } from '../src/flow/delivery/tls-reports.ts'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer, type Zone } from './support/dns-server.ts'
import { postern, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'

const txt = (text: string): ScriptedRecord => ({ type: 'TXT', data: [text] })
const folder = temporaryFolder('tlsrpt-send')
let web: Server | undefined
let dns: DnsServer | undefined
let sink: Sink
let server: StartedServer
/** What the web server got: path, content type, body. */
const posted: { path: string; type: string; body: Buffer }[] = []
let status = 500

after(async () => {
  await server?.stop()
  web?.close()
  await dns?.close()
  await sink?.close()
  folder.remove()
})

const session = (domain: string, more: Partial<TlsSession> = {}): TlsSession => ({
  domain,
  policy: { type: 'sts', lines: ['version: STSv1', 'mode: enforce'], mx: ['mx.sts.example'] },
  failure: undefined,
  sendingIp: '192.0.2.1',
  mx: `mx.${domain}`,
  ip: '192.0.2.9',
  ...more,
})

before(async () => {
  if (noOpenssl !== false) return
  const ca = new TestAuthority(folder.path)
  ca.leaf('web', { names: 'DNS:reports.example' })
  web = createServer({ key: ca.read('web.key'), cert: ca.read('web.chain') }, (request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      posted.push({
        path: request.url ?? '',
        type: request.headers['content-type'] ?? '',
        body: Buffer.concat(pieces),
      })
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => web?.listen(0, '127.0.0.1', resolve))
  const at = web.address()
  const webPort = typeof at === 'object' && at !== null ? at.port : 0
  const zone: Zone = {
    '_smtp._tls.mail.example TXT': [txt('v=TLSRPTv1; rua=mailto:tls@wants.example')],
    '_smtp._tls.web.example TXT': [txt(`v=TLSRPTv1;rua=https://reports.example:${webPort}/v1/tlsrpt`)],
    '_smtp._tls.both.example TXT': [
      txt(`v=TLSRPTv1; rua=https://reports.example:${webPort}/both,mailto:both@wants.example`),
    ],
    '_smtp._tls.two.example TXT': [
      txt('v=TLSRPTv1; rua=mailto:a@wants.example'),
      txt('v=TLSRPTv1; rua=mailto:b@wants.example'),
    ],
    '_smtp._tls.broken.example TXT': 'servfail',
    'reports.example A': [{ type: 'A', data: '127.0.0.1' }],
    // The domain of the reports wants TLS that its host does not have: reports go there all the same.
    '_mta-sts.wants.example TXT': [txt('v=STSv1; id=1;')],
    'wants.example MX': [{ type: 'MX', data: { preference: 1, exchange: 'mx.wants.example' } }],
    'mx.wants.example A': [{ type: 'A', data: '127.0.0.1' }],
  }
  dns = await startDnsServer(zone)
  sink = await startSink()
  server = await startServer({
    folder: folder.path,
    arguments: [],
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
    configuration: `primary_hostname = mx.sender.example
qualify_domain = sender.example
begin routers
out:
  driver = dnslookup
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
  mta_sts = true
`,
  })
  const hints = await openHints({ directory: join(folder.path, 'spool', 'hints') })
  const yesterday = Date.now() - 86_400_000
  for (const name of ['mail', 'web', 'both', 'two', 'none', 'broken'])
    await countTlsSession(hints, session(`${name}.example`), yesterday)
  const failure = { result: 'certificate-expired', why: 'certificate has expired' } as const
  await countTlsSession(hints, session('mail.example', { failure }), yesterday)
  await countTlsSession(hints, session('mail.example'), Date.now())
  await hints.close()
})

async function send(...args: string[]): Promise<string> {
  const child = spawn(postern, ['tlsrpt', '-C', server.configurationFile, ...args], {
    env: { ...process.env, POSTERN_DNS: `127.0.0.1:${dns?.port}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString('utf8')))
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString('utf8')))
  await new Promise((resolve) => child.once('close', resolve))
  return said
}

interface Report {
  readonly policies: readonly {
    readonly policy: Readonly<Record<string, string>>
    readonly summary: Readonly<Record<string, number>>
    readonly 'failure-details'?: readonly Readonly<Record<string, string>>[]
  }[]
}
const unpacked = (bytes: Uint8Array): Report => JSON.parse(gunzipSync(bytes).toString('utf8')) as Report

test('TLSRPT: reports of days that are over go by mail and over https to those who want them', {
  skip: noOpenssl,
}, async () => {
  const said = await send('--send', '--contact', 'tls@sender.example')
  const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
  assert.match(
    said,
    new RegExp(`TLS report about mail\\.example for ${day} sent to mailto:tls@wants\\.example: as `),
  )
  assert.match(said, /about web\.example .* not sent to https:\S+\/v1\/tlsrpt: HTTP status 500/)
  assert.match(said, /about two\.example .* not sent: _smtp\._tls\.two\.example names nobody/)
  assert.match(said, /about none\.example .* not sent: _smtp\._tls\.none\.example names nobody/)
  assert.match(said, /about broken\.example .* not sent: the DNS has no answer/)
  assert.match(said, /2 sent, 2 wanted by nobody, 3 to be tried again\n$/)
  await server.logged(/=> tls@wants\.example .*C="250/, 30_000)
  await server.logged(/=> both@wants\.example .*C="250/, 30_000)
  const got = sink.messages.find(({ rcpts }) => rcpts[0]?.includes('<tls@wants.example>'))
  assert.match(got?.mail ?? '', /^MAIL FROM:<tls@sender\.example>/)
  const mail = await PostalMime.parse(got?.data ?? '')
  const header = (name: string): string | undefined => mail.headers.find(({ key }) => key === name)?.value
  assert.equal(header('tls-report-domain'), 'mail.example')
  assert.equal(header('tls-report-submitter'), 'mx.sender.example')
  assert.match(header('content-type') ?? '', /^multipart\/report;\s*report-type="?tlsrpt"?/)
  assert.match(
    mail.subject ?? '',
    /^Report Domain: mail\.example Submitter: mx\.sender\.example Report-ID: <\S+>$/,
  )
  const [attachment] = mail.attachments
  assert.equal(attachment?.mimeType, 'application/tlsrpt+gzip')
  const from = Date.parse(day) / 1000
  assert.equal(attachment?.filename, `mx.sender.example!mail.example!${from}!${from + 86_399}.json.gz`)
  // The parser gives attachments as bytes.
  const report = unpacked(new Uint8Array(attachment?.content as ArrayBuffer))
  assert.deepEqual(report.policies[0]?.summary, {
    'total-successful-session-count': 1,
    'total-failure-session-count': 1,
  })
  assert.equal(report.policies[0]?.['failure-details']?.[0]?.['result-type'], 'certificate-expired')
})

test('TLSRPT: what could not be sent is tried again, and what was sent is not sent twice', {
  skip: noOpenssl,
}, async () => {
  status = 201
  posted.length = 0
  const before = sink.messages.length
  const said = await send('--send')
  // The certificate is of an authority that nobody trusts: RFC 8460 section 3 lets the report go all the same.
  assert.match(said, /about web\.example .* sent to https:\S+: its certificate does not verify/)
  assert.match(said, /2 sent, 0 wanted by nobody, 1 to be tried again\n$/)
  assert.deepEqual(posted.map(({ path, type }) => `${path} ${type}`).sort(), [
    '/both application/tlsrpt+gzip',
    '/v1/tlsrpt application/tlsrpt+gzip',
  ])
  const report = posted.find(({ path }) => path === '/v1/tlsrpt')
  assert.equal(unpacked(report?.body ?? Buffer.alloc(0)).policies[0]?.policy['policy-domain'], 'web.example')
  assert.equal(sink.messages.length, before)
  // Today's count waits for the day to be over.
  assert.match(await send('--domain', 'mail.example'), /^\{"organization-name"/)
})

test('TLSRPT: the daemon sends once a day with tls_rpt_send', { skip: noOpenssl }, async () => {
  await server.stop()
  const hints = await openHints({ directory: join(folder.path, 'spool', 'hints') })
  await countTlsSession(hints, session('mail.example'), Date.now() - 2 * 86_400_000)
  await hints.close()
  server = await startServer({
    folder: folder.path,
    arguments: [],
    environment: { POSTERN_DNS: `127.0.0.1:${dns?.port}` },
    configuration: `primary_hostname = mx.sender.example
qualify_domain = sender.example
tls_rpt_send = true
begin routers
out:
  driver = dnslookup
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
`,
  })
  await server.logged(/TLS report about mail\.example for \S+ sent to mailto:tls@wants\.example/, 30_000)
  await server.logged(/=> tls@wants\.example /, 30_000)
})
