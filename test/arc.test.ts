/** ARC through the real program: two servers of one chain, a name server of the test's own. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ed25519Key, rsaKey, type TestKey } from './support/dkim-world.ts'
import { type DnsServer, type ScriptedRecord, startDnsServer } from './support/dns-server.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, type SinkMessage, startSink } from './support/smtp-sink.ts'

const rsa = rsaKey(2048)
const ed = ed25519Key()
const txt = (text: string): ScriptedRecord[] => [{ type: 'TXT', data: text.match(/.{1,200}/g) ?? [''] }]
const pem = ({ privateKey }: TestKey): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const folder = temporaryFolder('arc')
const configuration = (port: number): string => `
primary_hostname = mx.test
acl_smtp_rcpt = accept
acl_smtp_data = at_data
host_lookup =
never_users =
dns_retrans = 1s
dns_retry = 1
begin acl
at_data:
  deny    condition = \${if eq{$recipients}{strict@here.test}}
          !verify = arc/pass
          message = ARC says $arc_state: $arc_state_reason
  deny    condition = \${if eq{$recipients}{odd@here.test}}
          verify = arc/maybe
  accept  condition = \${if eq{$recipients}{unchecked@here.test}}
  warn    condition = \${if !eq{$recipients}{two@here.test}}
          verify = arc/pass:none:fail
          logwrite = ARC <$arc_state> <$arc_state_reason> <$arc_domains> <$arc_oldest_pass>
          add_header = :at_start:\${authresults{one.test}}
  warn    condition = \${if eq{$recipients}{two@here.test}}
          verify = arc/!fail
          logwrite = ARC <$arc_state> <$arc_state_reason> <$arc_domains> <$arc_oldest_pass>
          add_header = :at_start:\${authresults{two.test}}
  accept
begin routers
two:
  driver = manualroute
  local_parts = two
  route_list = * 127.0.0.1
  self = send
  transport = t_two
one:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = t_one
begin transports
t_one:
  driver = smtp
  port = ${port}
  allow_localhost
  hosts_try_chunking =
  dkim_domain = one.test
  dkim_selector = s
  dkim_private_key = ${folder.path}/rsa.pem
  arc_sign = one.test : s : ${folder.path}/rsa.pem : timestamps, expire=+86400
t_two:
  driver = smtp
  port = ${port}
  allow_localhost
  hosts_try_chunking =
  arc_sign = two.test : s : ${folder.path}/ed.pem
begin retry
* * F,1h,1m
`

let server: StartedServer
let sink: Sink
let dns: DnsServer
before(async () => {
  sink = await startSink({ extensions: ['PIPELINING', '8BITMIME', 'SIZE'] })
  dns = await startDnsServer({
    's._domainkey.one.test TXT': txt(`p=${rsa.data}`),
    's._domainkey.two.test TXT': txt(`k=ed25519; p=${ed.data}`),
  })
  chmodSync(folder.path, 0o777)
  writeFileSync(join(folder.path, 'rsa.pem'), pem(rsa), { mode: 0o644 })
  writeFileSync(join(folder.path, 'ed.pem'), pem(ed), { mode: 0o644 })
  server = await startServer({
    configuration: configuration(sink.port),
    folder: folder.path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
  })
})
after(async () => {
  await server.stop()
  await sink.close()
  await dns.close()
  folder.remove()
})

const plain = [
  'From: A <a@x.test>',
  'To: b@here.test',
  'Subject: hello',
  'Date: Thu, 1 Jan 2026 00:00:00 +0000',
  '',
  'Hello',
  '',
].join('\r\n') // prettier-ignore

async function deliver(
  message: string,
  to: string,
): Promise<{ readonly code: number; readonly text: string }> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.test')
  const reply = await client.deliver('a@x.test', [`${to}@here.test`], message)
  client.end()
  return { code: reply.code, text: reply.lines.join(' ') }
}

async function through(message: string, to: string): Promise<SinkMessage> {
  const known = sink.messages.length
  const { code } = await deliver(message, to)
  assert.equal(code, 250)
  const found = await until(
    () => sink.messages.slice(known).find((one) => one.rcpts[0]?.includes(`${to}@`)),
    20_000,
  )
  assert.ok(found !== undefined, server.log())
  return found
}

test('ARC: two hops seal one after the other; the chain passes, also after the text was changed between them', async () => {
  const first = await through(plain, 'one')
  await server.logged(/ARC <none> <> <> <>/)
  assert.match(first.data, /^ARC-Seal: i=1; cv=none; a=rsa-sha256; d=one\.test; s=s; t=\d+;\r\n\tb=/)
  assert.match(first.data, /ARC-Message-Signature: i=1; [^]*x=\d+/)
  assert.match(first.data, /ARC-Authentication-Results: i=1; one\.test; [^]*arc=none/)
  assert.match(first.data, /DKIM-Signature: v=1/)
  const second = await through(`X-List: yes\r\n${first.data}\r\n-- \r\nfooter`, 'two')
  // Changed without a set that says so: the chain is broken, and this ACL gives it no result to seal.
  await server.logged(/ARC: message not sealed: no Authentication-Results: of two\.test/)
  assert.doesNotMatch(second.data, /ARC-Seal: i=2/)
  const untouched = await through(first.data, 'two')
  await server.logged(/ARC <pass> <> <one\.test> <1>/)
  assert.match(untouched.data, /^ARC-Seal: i=2; cv=pass; a=ed25519-sha256; d=two\.test; s=s;/)
  assert.match(server.log(), /<= a@x\.test .* DKIM=one\.test ARC/)
  const third = await through(untouched.data, 'one')
  await server.logged(/ARC <pass> <> <one\.test:two\.test> <1>/)
  assert.match(
    third.data.replace(/\s+/g, ' '),
    /Authentication-Results: one\.test; dkim=pass header\.d=one\.test header\.s=s header\.a=rsa-sha256; arc=pass \(i=2\) header\.d=two\.test header\.s=s header\.oldest-pass=0 smtp\.remote-ip=127\.0\.0\.1/,
  )
})

test('ARC: a broken chain is refused where the ACL asks, with the reason', async () => {
  const { data } = await through(plain, 'one')
  const refused = await deliver(data.replace('arc=none', 'arc=pass'), 'strict')
  assert.equal(refused.code, 550)
  assert.match(refused.text, /^ARC says fail: AS 1: signature did not verify$/)
  const unsealed = await deliver(plain, 'strict')
  assert.match(unsealed.text, /^ARC says none: $/)
})

test('ARC: an unknown result in verify = arc is a mistake of the configuration', async () => {
  const { code } = await deliver(plain, 'odd')
  assert.equal(code, 451)
  await server.logged(/unknown result "maybe" in ACL condition "verify arc\/maybe"/)
})

test('ARC: without our own Authentication-Results: nothing is sealed, and the log says why', async () => {
  const message = await through(plain, 'unchecked')
  assert.doesNotMatch(message.data, /ARC-Seal/)
  await server.logged(/ARC: message not sealed: no Authentication-Results: of one\.test/)
})

test('ARC: _HAVE_ARC is defined, and -bV names it as Exim does', () => {
  const file = join(folder.path, 'have.conf')
  writeFileSync(file, '.ifdef _HAVE_ARC\nprimary_hostname = has.arc.test\n.endif\n')
  assert.match(server.command('-C', file, '-bP', 'primary_hostname').stdout, /has\.arc\.test/)
  assert.match(server.command('-C', file, '-bV').stdout, /Support for: .*\bExperimental_ARC\b/)
})
