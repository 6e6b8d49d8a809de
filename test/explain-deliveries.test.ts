/** `explain_store`: why a delivery was deferred or failed, with the dialogue; what local programs submit; clients of a dry run. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { noOpenssl, TestAuthority } from './support/certificates.ts'
import { type RemoteHost, startRemoteHost } from './support/remote-host.ts'
import {
  freePort,
  postern,
  type StartedServer,
  startServer,
  temporaryFolder,
  until,
} from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folder = temporaryFolder('explain-deliveries')
const needsRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' }
const hosts: RemoteHost[] = []
let server: StartedServer

const configuration = (port: number, closed: number): string => `primary_hostname = mx.test
explain_store = 200
tls_advertise_hosts = 192.0.2.0/24
received_header_text =
acl_smtp_rcpt = acl_rcpt
acl_not_smtp = acl_local
begin acl
acl_rcpt:
  deny encrypted = *
       !verify = certificate
       message = show your certificate
  deny encrypted = ^TLS1[.]2
       message = too weak
  deny condition = \${if eq{$tls_in_sni}{bad.test}}
       message = not under this name
  deny condition = \${if eq{$proxy_local_address}{10.0.0.9}}
       message = not through this proxy
  deny condition = \${if eq{$received_port}{587}}
       !authenticated = *
       message = who are you?
  accept
acl_local:
  deny condition = \${if match{$h_subject:}{spam}}
       message = no spam from here
  accept
begin routers
far:
  driver = manualroute
  domains = far.test
  route_list = * 127.77.0.1::${port}
  transport = smtp
tls:
  driver = manualroute
  domains = tls.test
  route_list = * 127.77.0.2::${port}
  transport = tls
closed:
  driver = manualroute
  domains = closed.test
  route_list = * 127.66.0.9::${closed}
  transport = smtp
begin transports
smtp:
  driver = smtp
  hosts_avoid_tls = *
tls:
  driver = smtp
  hosts_require_tls = *
begin retry
* * F,2h,15m
`

before(async () => {
  chmodSync(folder.path, 0o755)
  const port = await freePort()
  const reply = (line: string): string | undefined => {
    if (/^RCPT.*full/.test(line)) return '452 4.2.2 the mailbox is full'
    return /^RCPT.*gone/.test(line) ? '550 5.1.1 she left in May' : undefined
  }
  hosts.push(await startRemoteHost({ reply }, port))
  if (noOpenssl === false) {
    const ca = new TestAuthority(folder.path)
    ca.leaf('tls.test')
    const certificate = { key: ca.read('tls.test.key'), cert: ca.read('tls.test.pem') }
    hosts.push(
      await startRemoteHost({ reply, certificate, offers: ['STARTTLS', 'PIPELINING'] }, port, ['127.77.0.2']),
    )
  }
  server = await startServer({ configuration: configuration(port, await freePort()), folder: folder.path })
})
after(async () => {
  await server.stop()
  for (const host of hosts) await host.close()
  folder.remove()
})

function explain(...args: readonly string[]): ReturnType<typeof spawnSync> & { readonly stdout: string } {
  return spawnSync(postern, ['explain', '-C', server.configurationFile, ...args], { encoding: 'utf8' })
}

async function explained(pattern: RegExp, ...args: readonly string[]): Promise<string> {
  let last = ''
  const found = await until(() => {
    const { stdout, stderr } = explain(...args)
    last = stdout + String(stderr)
    return pattern.test(stdout) ? stdout : undefined
  }, 30_000)
  assert.ok(found !== undefined, `${pattern}\n${last}`)
  return found
}

/** Hands a message over by SMTP; gives its id. */
async function send(...to: readonly string[]): Promise<string> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.test')
  await client.say('MAIL FROM:<>')
  for (const each of to) await client.say(`RCPT TO:<${each}>`)
  await client.say('DATA')
  const { raw } = await client.say('Subject: x\r\n\r\nbody\r\n.')
  await client.say('QUIT')
  return /id=(\S+)/.exec(raw)?.[1] ?? ''
}

test('a host that refuses a recipient for now, and one for good: each command with its answer', async () => {
  const id = await send('full@far.test', 'gone@far.test', 'ann@far.test')
  await server.logged(new RegExp(`${id} == full@far`))
  const text = await explained(/delivery of/, id)
  assert.match(
    text,
    /transport of smtp to \S+@far\.test \S+@far\.test \S+@far\.test\n {2}127\.77\.0\.1 \[127\.77\.0\.1\]:\d+: /,
  )
  assert.match(
    text,
    /\n {2}gone@far\.test: failed: SMTP error from remote mail server after RCPT TO:<gone@far\.test>: 550 5\.1\.1/,
  )
  for (const line of [
    /sent \(connects\) -> 220 far ESMTP/,
    /sent EHLO mx\.test -> 250-far \| 250-PIPELINING/,
    /sent MAIL FROM:<> SIZE=\d+ -> 250 sender ok/,
    /sent RCPT TO:<full@far\.test> -> 452 4\.2\.2 the mailbox is full/,
    /sent RCPT TO:<gone@far\.test> -> 550 5\.1\.1 she left in May/,
    /sent RCPT TO:<ann@far\.test> -> 250 recipient ok/,
    /sent DATA -> 354 go/,
    /sent \(the message\) -> 250 taken as 1/,
  ])
    assert.match(text, line)
})

test('a host that takes nobody: the first screen shows the dialogue', async () => {
  const id = await send('full@far.test')
  await server.logged(new RegExp(`${id} == full@far`))
  const text = await explained(/delivery of/, id, '--brief')
  assert.match(
    text,
    /:\d+: took none of the addresses\n(?: {6}.*\n)* {6}RCPT TO:<full@far\.test> -> 452 4\.2\.2 the mailbox is full\n/,
  )
  assert.match(text, /\n {2}full@far\.test: deferred: SMTP error/)
  const page = join(folder.path, 'page.html')
  assert.equal(explain(id, '--html', page).status, 0)
  assert.match(readFileSync(page, 'utf8'), /<li class="bad"><b>transport of smtp to full@far\.test</)
})

test('a host that refuses the connection, and later is not tried because it is not time', async () => {
  const id = await send('ann@closed.test')
  await server.logged(new RegExp(`${id} == ann@closed`))
  const first = await explained(/delivery of/, id, '--brief')
  assert.match(
    first,
    /127\.66\.0\.9 \[127\.66\.0\.9\]:\d+: Connection refused\n {6}\(connects\) -> \(Connection refused\)\n/,
  )
  const second = await send('bob@closed.test')
  await server.logged(new RegExp(`${second} == bob@closed`))
  const later = await explained(/delivery of/, second, '--brief')
  assert.match(later, /:\d+: not tried: retry time not reached \(next try 20\d\d-\d\d-\d\dT[\d:]{8}Z\)/)
})

test('TLS of the connection stands there', { skip: noOpenssl }, async () => {
  const id = await send('ann@tls.test')
  await server.logged(new RegExp(`${id} Completed`))
  const text = await explained(/delivery of/, id)
  assert.match(
    text,
    /sent STARTTLS -> 220 go ahead.*\n.*tls TLS -> TLS1\.3:\S+, certificate of \S*CN=\S+ not verified\n.*sent EHLO/,
  )
})

test('transports that run side by side each have a place of their own', async () => {
  const id = await send('full@far.test', 'ann@closed.test')
  await server.logged(new RegExp(`${id} == full@far`))
  await server.logged(new RegExp(`${id} == ann@closed`))
  const text = await explained(/delivery of/, id)
  assert.match(text, /\ntransport smtp to full@far\.test -> /)
  assert.match(text, /\ntransport smtp to ann@closed\.test -> /)
})

/** Not waiting synchronously: the hosts live in this process. */
function sendmail(
  args: readonly string[],
  input: string,
  as: readonly string[] = [],
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const [program = '', ...words] = [...as, postern, '-C', server.configurationFile, ...args]
  const child = spawn(program, words, { stdio: ['pipe', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
  child.stdin.end(input)
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stderr })))
}

test('a message of a local program that an ACL refuses, and its statement', async () => {
  const done = await sendmail(['-bm', '-oep', 'ann@far.test'], 'Subject: spam\n\nx\n')
  assert.equal(done.status, 1)
  const text = await explained(/no spam from here/, '--rejected', '--last', '1')
  assert.match(
    text,
    /a message from \S+ \(trace \S+\)\n\n\(the message\)\n {2}answered refused: exim: message rejected by non-SMTP ACL: no spam from here\n {2}decided by "deny condition = \$\{if match\{\$h_subject:\}\{spam\}\}" in \S+exim\.conf:\d+\n/,
  )
})

test('a message of a local program and its delivery in the foreground', async () => {
  const done = await sendmail(['-bm', '-odf', 'full@far.test'], 'Subject: fine\n\nx\n')
  assert.equal(done.status, 0, String(done.stderr))
  const [, id = ''] = await server.logged(/(\S+) <= \S+ U=\S+ P=local/)
  const text = await explained(/delivery of/, id, '--brief')
  assert.match(text, /\(the message\)\n {2}answered accepted id=\S+, by "accept" in /)
  assert.match(text, /RCPT TO:<full@far\.test> -> 452 4\.2\.2/)
})

test('sendmail -bs and -bS', async () => {
  await sendmail(['-bs'], 'EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<not-an-address@>\r\nQUIT\r\n')
  await explained(
    /a session of \S+ \(trace[^]*RCPT TO:<not-an-address@>\n {2}answered 501/,
    '--rejected',
    '--last',
    '2',
  )
  await sendmail(
    ['-bS'],
    'MAIL FROM:<a@b.test>\r\nRCPT TO:<full@far.test>\r\nDATA\r\nSubject: s\r\n\r\nx\r\n.\r\n',
  )
  await explained(/a message from \S+ \(trace[^]*answered accepted/, '--last', '3')
  // Its delivery in the background writes into the folder.
  const [, id = ''] = await server.logged(/(\S+) <= a@b\.test /)
  await server.logged(new RegExp(`${id} == full@far`))
  // Short calls share a file.
  const shared = readdirSync(`${folder.path}/spool/explain`).filter((name) => name.includes('.shared.'))
  assert.equal(shared.length, 1)
})

test('what an ordinary user hands over through the drop folder', needsRoot, async () => {
  const as = ['setpriv', '--reuid=1', '--regid=1', '--clear-groups']
  chmodSync(join(folder.path, 'spool'), 0o700)
  const done = await sendmail(['ann@far.test'], 'Subject: dropped\n\nx\n', as)
  assert.deepEqual([done.status, done.stderr], [0, ''])
  const [, id = ''] = await server.logged(/(\S+) <= daemon@mx\.test U=daemon P=local/)
  const text = await explained(/a message from daemon/, id)
  assert.match(text, /\(the message\)\n {2}answered accepted id=\S+, by "accept" in /)
})

const dryRuns: readonly { says: string; words: readonly string[]; answer: RegExp }[] = [
  { says: 'in clear', words: [], answer: /Nothing was refused/ },
  { says: 'TLS without a certificate', words: ['--tls'], answer: /550 show your certificate/ },
  { says: 'TLS with one', words: ['--tls-certificate', 'CN=client'], answer: /Nothing was refused/ },
  {
    says: 'a cipher of its own',
    words: ['--tls-certificate', 'CN=client', '--tls-cipher', 'TLS1.2:WEAK:56'],
    answer: /550 too weak/,
  },
  {
    says: 'TLS from the first byte on, with a name',
    words: ['--tls-on-connect', '--tls-certificate', 'CN=client', '--tls-sni', 'bad.test'],
    answer: /550 not under this name/,
  },
  { says: 'a proxy', words: ['--proxy', '10.0.0.9.10025'], answer: /550 not through this proxy/ },
  { says: 'another port', words: ['--interface', '192.0.2.25.587'], answer: /550 who are you\?/ },
  {
    says: 'another port, authenticated',
    words: ['--interface', '192.0.2.25.587', '--authenticated-id', 'joe'],
    answer: /Nothing was refused/,
  },
]

for (const { says, words, answer } of dryRuns)
  test(`a session as if from a client: ${says}`, () => {
    const { status, stdout, stderr } = explain(
      '--from',
      '192.0.2.9',
      '--rcpt',
      'ann@far.test',
      '--brief',
      ...words,
    )
    assert.equal(status, 0, String(stderr))
    assert.match(stdout, answer)
  })

test('TLS that the client would not be offered is told', () => {
  const { status, stdout, stderr } = explain(
    '--from',
    '198.51.100.9',
    '--rcpt',
    'ann@far.test',
    '--brief',
    '--tls',
  )
  assert.equal(status, 0)
  assert.equal(stderr, 'postern explain: STARTTLS is not offered to this client: played in clear\n')
  assert.match(stdout, /Nothing was refused/)
  for (const words of [
    ['--interface', 'x'],
    ['--proxy', 'x'],
    ['--tls-sni', 'a\nb'],
  ])
    assert.equal(explain('--from', '192.0.2.9', '--rcpt', 'a@b.test', ...words).status, 2)
})
