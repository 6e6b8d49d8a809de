/** Content scanning through the started program: real scanners where Debian has them, the MIME ACL, hostile messages. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import {
  gtube,
  spamWord,
  standInClamd,
  standInSock,
  startClamd,
  type Started,
  startRspamd,
  startSpamd,
  virus,
} from './support/scanners.ts'
import { postern, type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'

const folder = temporaryFolder('scanning')
const started: { stop?(): Promise<void>; close?(): Promise<void> }[] = []
let clamd: Started
let spamd: Started
let rspamd: Started
let server: StartedServer

before(async () => {
  chmodSync(folder.path, 0o777)
  ;[clamd, spamd, rspamd] = await Promise.all([
    startClamd(folder.path),
    startSpamd(folder.path),
    startRspamd(folder.path),
  ])
  const silent = await standInClamd()
  const sock = await standInSock()
  const script = join(folder.path, 'scan.sh')
  writeFileSync(script, '#!/bin/sh\ncat "$1"/*.eml | grep -a "VIRUS: "\nexit 0\n')
  chmodSync(script, 0o755)
  started.push(silent, sock)
  for (const each of [clamd, spamd, rspamd]) if (!('missing' in each)) started.push(each)
  const portOf = (each: Started): number => ('missing' in each ? 1 : each.port)
  const scanners: Record<string, string> = {
    tcp: `clamd:127.0.0.1 ${portOf(clamd)}`,
    two: `clamd:127.0.0.1 1:127.0.0.1 ${portOf(clamd)}`,
    unix: `clamd:${'missing' in clamd ? '/nonexistent' : clamd.socket}`,
    local: `clamd:127.0.0.1 ${portOf(clamd)}:local`,
    cmdline: `cmdline:${script} %s:VIRUS:VIRUS. (.*)`,
    sock: `sock:127.0.0.1 ${sock.port}:%s:VIRUS:name=(\\\\S+)`,
    silent: `clamd:127.0.0.1 ${silent.port}`,
    tainted: `cmdline:/bin/echo $h_subject: %s:VIRUS:(x)`,
  }
  server = await startServer({
    configuration: configuration(scanners, portOf),
    folder: folder.path,
    arguments: [],
  })
})

after(async () => {
  await server?.stop()
  for (const each of started) await (each.stop ?? each.close)?.call(each)
  folder.remove()
})

const about = '\\${if eq{$h_x-test:}{'.replace('\\', '')

function configuration(
  scanners: Readonly<Record<string, string>>,
  portOf: (each: Started) => number,
): string {
  const choose = Object.entries(scanners)
    .map(([name, value]) => `  warn condition = ${about}${name}}}\n       set acl_m_av = ${value}`)
    .join('\n')
  return `primary_hostname = mx.test
smtp_accept_max = 200
smtp_accept_max_nonmail = 1000000
message_size_limit = 100M
queue_only
av_scanner = $acl_m_av
spamd_address = ${about}rspamd}{127.0.0.1 ${portOf(rspamd)} variant=rspamd}{127.0.0.1 1 pri=9:127.0.0.1 ${portOf(spamd)} weight=2}}
acl_smtp_rcpt = accept
acl_smtp_mime = mime
acl_not_smtp_mime = mime
acl_smtp_data = data
acl_not_smtp = notsmtp

begin acl
mime:
  deny condition = ${about}mime-deny}}
       condition = ${about.replace('$h_x-test:', '$mime_filename')}evil.exe}}
       message = no $mime_filename here
  warn condition = ${about}mime}}
       decode = default
       logwrite = PART $mime_part_count $mime_content_type $mime_content_size
  accept
data:
  accept condition = ${about}count}}
         logwrite = COUNT $mime_part_count
${choose}
  deny condition = \${if def:acl_m_av}
       malware = \${if eq{$h_x-test:}{silent}{*/tmo=1s}{*}}
       message = malware $malware_name
  accept condition = \${if def:acl_m_av}
         logwrite = CLEAN $callout_address
  warn condition = ${about}keep}}
       control = no_mbox_unspool
       regex = ^X-Test
  deny condition = \${if match{$h_x-test:}{spam}}
       spam = nobody
       message = spam $spam_score $spam_score_int $spam_bar $spam_action
  accept logwrite = ACCEPTED <$spam_score> <$spam_action>
notsmtp:
  accept logwrite = LOCAL $mime_part_count

begin routers
all:
  driver = accept
  transport = file

begin transports
file:
  driver = appendfile
  file = ${folder.path}/delivered
  headers_add = X-Later: $spam_score $spam_score_int $spam_bar <$spam_report>
  user = \${if eq{$received_protocol}{}{root}{$acl_m_user}}
`.replace(/ {2}user = .*\n/, process.getuid?.() === 0 ? '  user = nobody\n' : '')
}

async function client(): Promise<SmtpClient> {
  const made = await connectSmtp(server.port)
  await made.say('EHLO client.test')
  return made
}

async function send(smtp: SmtpClient, head: string, body: string): Promise<string> {
  const text = `From: a@b.test\r\n${head.replaceAll('\n', '\r\n')}\r\n\r\n${body.replaceAll('\n', '\r\n')}\r\n.\r\n`
  const bytes = Buffer.from(text, 'latin1')
  await smtp.say('MAIL FROM:<a@b.test>')
  await smtp.say('RCPT TO:<c@d.test>')
  await smtp.say('DATA')
  smtp.socket.write(bytes)
  return (await smtp.reply()).raw.trimEnd()
}

function needs(t: TestContext, scanner: Started): boolean {
  if (!('missing' in scanner)) return true
  t.skip(scanner.missing)
  return false
}

const isScanned: Record<string, string> = {
  tcp: 'over TCP, the message streamed',
  two: 'over TCP, the first of two servers gone',
  unix: 'over a Unix socket, by file name',
  local: 'over TCP, by file name',
}
for (const [name, how] of Object.entries(isScanned)) {
  test(`malware: a real clamd is asked ${how}`, async (t) => {
    if (!needs(t, clamd)) return
    // A clamd of another user may not read our files: then it says so, and the message is deferred.
    const smtp = await client()
    assert.match(
      await send(smtp, `X-Test: ${name}`, `x ${virus} y`),
      /^550 malware Postern\.Test\.Evil(?:\.UNOFFICIAL)?$/,
    )
    assert.match(await send(smtp, `X-Test: ${name}`, 'harmless'), /^250 OK/)
    await server.logged(/CLEAN (?:\[127\.0\.0\.1\]:\d+|\/\S+sock)/)
    smtp.send('QUIT\r\n')
    assert.deepEqual(readdirSync(join(folder.path, 'spool/scan')), [])
  })
}

test('malware: a message of 20 MB is streamed to clamd while others are served', async (t) => {
  if (!needs(t, clamd)) return
  const smtp = await client()
  const big = send(smtp, 'X-Test: tcp', `${'0123456789abcdef\n'.repeat(1_200_000)}${virus}`)
  const other = await client()
  let slowest = 0
  for (let i = 0; i < 20; i++) {
    const began = performance.now()
    await other.say('NOOP')
    slowest = Math.max(slowest, performance.now() - began)
  }
  assert.match(await big, /^550 malware/)
  assert.ok(slowest < 1000, `${slowest} ms`)
})

test('malware: a command and a socket of the simple kind', async () => {
  const smtp = await client()
  assert.equal(await send(smtp, 'X-Test: cmdline', 'VIRUS: Cmd.Evil'), '550 malware Cmd.Evil')
  assert.match(await send(smtp, 'X-Test: cmdline', 'nothing'), /^250/)
  assert.equal(await send(smtp, 'X-Test: sock', 'x'), '550 malware Sock.Evil')
})

test('malware: a silent scanner defers after its time, and others are served meanwhile', async () => {
  const smtp = await client()
  const waiting = send(smtp, 'X-Test: silent', 'SILENT')
  const other = await client()
  assert.match(await send(other, 'X-Test: none', 'x'), /^250/)
  assert.equal(await waiting, '451 Temporary local problem - please try later')
  await server.logged(
    /malware acl condition: clamd \[127\.0\.0\.1\]:\d+ : unable to read from socket \(Connection timed out\)/,
  )
  assert.match(server.log(), /temporarily rejected after DATA\n/)
})

test('P4: a command that holds something of the message is not run', async () => {
  const smtp = await client()
  assert.match(await send(smtp, 'Subject: $(touch /tmp/x)\nX-Test: tainted', 'x'), /^451/)
  await server.logged(/malware acl condition: cmdline {2}: tainted command/)
})

test('spam: a real spamd judges, and its score is there at delivery', async (t) => {
  if (!needs(t, spamd)) return
  const smtp = await client()
  assert.equal(await send(smtp, 'X-Test: spam', spamWord), '550 spam 7.3 73 +++++++ reject')
  assert.match(await send(smtp, 'X-Test: spam', 'hello'), /^250 OK id=(\S+)$/)
  await server.logged(/ACCEPTED <0\.0> <no action>/)
  // The first server of the list refused connections.
  assert.match(
    server.log(),
    /spam acl condition: spamd: failed to connect to any address for 127\.0\.0\.1: Connection refused/,
  )
  const id = /(\S+) ACCEPTED <0\.0>/.exec(server.log())?.[1] ?? ''
  server.command('-M', id)
  await server.logged(new RegExp(`${id} => c <?c@d\\.test|${id} => \\S+ <c@d\\.test>|${id} => c`))
  assert.match(readFileSync(join(folder.path, 'delivered'), 'latin1'), /^X-Later: 0\.0 0 \/ <>$/m)
})

test('spam: a real rspamd judges', async (t) => {
  if (!needs(t, rspamd)) return
  const smtp = await client()
  const head =
    'Subject: x\nTo: c@d.test\nMessage-ID: <x@y>\nDate: Sun, 29 Nov 2026 10:00:00 +0000\nX-Test: rspamd'
  assert.match(await send(smtp, head, gtube), /^550 spam \d+\.\d \d+ \++ reject$/)
  assert.match(await send(smtp, head, 'hello'), /^250/)
  await server.logged(/ACCEPTED <\d+\.\d> <no action>/)
})

test('the MIME ACL looks at each part, and refuses by the name of an attachment', async () => {
  const smtp = await client()
  const parts = (name: string): string =>
    `--AA\nContent-Type: text/plain\n\nhello\n--AA\nContent-Type: application/x\nContent-Disposition: attachment; filename*0*=utf-8''${name.slice(0, 3)}; filename*1=${name.slice(3)}\n\nx\n--AA--`
  const type = 'Content-Type: multipart/mixed; boundary=AA'
  assert.equal(await send(smtp, `X-Test: mime-deny\n${type}`, parts('evil.exe')), '550 no evil.exe here')
  await server.logged(/F=<a@b\.test> rejected during MIME ACL checks: no evil\.exe here/)
  assert.match(await send(smtp, `X-Test: mime\n${type}`, parts('good.txt')), /^250/)
  await server.logged(/PART 0 multipart\/mixed 1\n.*PART 1 text\/plain 1\n.*PART 2 application\/x 1\n/)
  assert.deepEqual(readdirSync(join(folder.path, 'spool/scan')), [])
})

test('control = no_mbox_unspool keeps the copy', async () => {
  const smtp = await client()
  const reply = await send(smtp, 'X-Test: keep', 'kept body')
  const id = /id=(\S+)/.exec(reply)?.[1] ?? ''
  const copy = join(folder.path, 'spool/scan', id, `${id}.eml`)
  assert.ok(existsSync(copy), reply)
  const text = readFileSync(copy, 'latin1')
  assert.match(
    text,
    /^From MAILER-DAEMON \w{3} \w{3} \d\d \d\d:\d\d:\d\d \d{4}\nX-Envelope-From: <a@b\.test>\nX-Envelope-To: c@d\.test\nReceived: /,
  )
  assert.ok(text.endsWith('\n\nkept body\n'), text)
  spawnSync('rm', ['-r', join(folder.path, 'spool/scan', id)])
})

test('a local message goes through acl_not_smtp_mime', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root: others give up -C')
  const message =
    'Subject: x\nX-Test: mime\nContent-Type: multipart/mixed; boundary=BB\n\n--BB\n\nx\n--BB--\n'
  const done = spawnSync(postern, ['-C', server.configurationFile, '-odq', 'c@d.test'], {
    input: message,
    encoding: 'latin1',
  })
  assert.equal(done.status, 0, done.stderr)
  await server.logged(/LOCAL 1\n/)
  const refused = spawnSync(postern, ['-C', server.configurationFile, '-odq', '-oep', 'c@d.test'], {
    input: 'X-Test: mime-deny\nContent-Type: application/x; name=evil.exe\n\nx\n',
    encoding: 'latin1',
  })
  assert.match(refused.stderr, /message rejected by non-SMTP ACL: no evil\.exe here/)
})

const deep = (levels: number): string => {
  let text = ''
  for (let i = 0; i < levels; i++) text += `--B${i}X\nContent-Type: multipart/mixed; boundary=B${i + 1}X\n\n`
  return text
}
const hostile: readonly { says: string; head: string; body: string; reply: RegExp; log?: RegExp }[] = [
  {
    says: '10,000 parts within each other are refused',
    head: 'Content-Type: multipart/mixed; boundary=B0X',
    body: deep(10_000),
    reply: /^550 MIME parts nested too deep$/,
    log: /rejected during MIME ACL checks: MIME parts nested too deep/,
  },
  {
    says: '100,000 parts are refused',
    head: 'Content-Type: multipart/mixed; boundary=A',
    body: '--A\nContent-Type: a/b\n\nx\n'.repeat(100_000),
    reply: /^550 too many MIME parts$/,
  },
  {
    says: '5,000 parts are taken',
    head: 'X-Test: count\nContent-Type: multipart/mixed; boundary=A',
    body: '--A\nContent-Type: a/b\n\nx\n'.repeat(5000),
    reply: /^250/,
    log: /COUNT 5000\n/,
  },
  {
    says: 'a header of a part that does not end is refused',
    head: 'Content-Type: multipart/mixed; boundary=A',
    body: `--A\nContent-Type: a/b;${' x=y;\n'.repeat(100_000)}`,
    reply: /^550 MIME header too long$/,
  },
  {
    says: 'a boundary longer than a line is refused',
    head: `Content-Type: multipart/mixed; boundary=${'b'.repeat(2000)}`,
    body: 'x',
    reply: /^550 MIME boundary too long$/,
  },
  {
    says: 'boundaries that almost match cost little',
    head: `X-Test: count\nContent-Type: multipart/mixed; boundary=${'b'.repeat(900)}`,
    body: `--${'b'.repeat(899)}c\n`.repeat(10_000),
    reply: /^250/,
    log: /COUNT 0\n/,
  },
  {
    says: 'a million lines of one hyphen cost little',
    head: 'X-Test: count\nContent-Type: multipart/mixed; boundary=A',
    body: `--A\n\n${'--\n'.repeat(1_000_000)}`,
    reply: /^250/,
    log: /COUNT 1\n/,
  },
  {
    says: 'messages within messages end somewhere',
    head: 'Content-Type: message/rfc822',
    body: 'Content-Type: message/rfc822\n\n'.repeat(1000),
    reply: /^550 MIME parts nested too deep$/,
  },
]
for (const { says, head, body, reply, log } of hostile) {
  test(`P7, P12: ${says}, and others are served meanwhile`, async () => {
    const smtp = await client()
    const other = await client()
    let over = false
    const sent = send(smtp, head, body).finally(() => (over = true))
    let slowest = 0
    while (!over) {
      const began = performance.now()
      await other.say('RSET')
      slowest = Math.max(slowest, performance.now() - began)
    }
    assert.match(await sent, reply)
    // A reply takes one turn of the event loop or two; the rest is the other tests of this machine.
    assert.ok(slowest < 1000, `${slowest} ms`)
    if (log !== undefined) await server.logged(log)
  })
}

test('P7: a message with 349,000 tiny headers is refused, and others are served meanwhile', async () => {
  const smtp = await client()
  const other = await client()
  let over = false
  const sent = send(smtp, 'a:\n'.repeat(340_000).trimEnd(), 'x').finally(() => (over = true))
  let slowest = 0
  while (!over) {
    const began = performance.now()
    await other.say('RSET')
    slowest = Math.max(slowest, performance.now() - began)
  }
  assert.equal(await sent, '552 Message has too many headers')
  assert.ok(slowest < 1000, `${slowest} ms`)
  await server.logged(/too many message headers received from \S+ \S+ \(more than 10000\): message abandoned/)
})

const checks: readonly { says: string; text: string; code: number; found: RegExp }[] = [
  {
    says: 'a scanner that Postern does not speak to stops the start',
    text: 'av_scanner = drweb:/x\nacl_smtp_data = d\nbegin acl\nd:\n  deny malware = *\n',
    code: 1,
    found:
      /scanner type 'drweb' does not work in this version of Postern: avast, clamd, cmdline, f-prot6d, sock and sophie do/,
  },
  {
    says: 'the default, which is sophie, is told',
    text: 'acl_smtp_data = d\nbegin acl\nd:\n  deny malware = *\n',
    code: 0,
    found: /av_scanner is not set: the default sophie:\/var\/run\/sophie is asked/,
  },
  {
    says: 'conditions in a wrong place are found',
    text: 'av_scanner = clamd:/x\nacl_smtp_rcpt = d\nbegin acl\nd:\n  deny malware = *\n',
    code: 1,
    found: /cannot test malware condition in RCPT ACL/,
  },
  {
    says: 'an option of a spam server that is none is found',
    text: 'spamd_address = 127.0.0.1 783 speed=9\nacl_smtp_data = d\nbegin acl\nd:\n  deny spam = x\n',
    code: 1,
    found: /invalid spamd option 'speed=9' in '127\.0\.0\.1 783 speed=9'/,
  },
  {
    says: 'a regular expression that does not compile is found',
    text: 'acl_smtp_data = d\nbegin acl\nd:\n  deny regex = a( : b\n',
    code: 1,
    found: /regular expression error in 'a\(': missing closing parenthesis at offset 2/,
  },
  {
    says: 'a configuration with all of content scanning is clean',
    text: `av_scanner = clamd:/run/clamav/clamd.ctl
spamd_address = 127.0.0.1 783 retry=10s tmo=30s : 127.0.0.1 11333 variant=rspamd pri=2 weight=3 time=8.30-20 : /run/spamd
acl_smtp_rcpt = deny
acl_smtp_mime = m
acl_not_smtp_mime = m
acl_smtp_data = d
acl_not_smtp = d
begin acl
m:
  warn decode = default
       mime_regex = ^MZ
       regex = x
  accept
d:
  deny malware = */defer_ok/tmo=10s
       message = $malware_name
  warn spam = nobody:true/defer_ok
       add_header = X-Spam: $spam_score_int $spam_report
  deny regex = viagra
  accept
`,
    code: 0,
    found: /^/,
  },
]
for (const { says, text, code, found } of checks) {
  test(`check: ${says}`, () => {
    const own = join(folder.path, 'checked')
    mkdirSync(own, { recursive: true })
    const file = join(own, 'exim.conf')
    writeFileSync(file, `primary_hostname = mx.test\n${text}`)
    const done = spawnSync(postern, ['check', '-C', file], { encoding: 'utf8' })
    assert.match(done.stdout + done.stderr, found)
    assert.equal(done.status, code, done.stdout + done.stderr)
  })
}

test('-bV and macros tell of content scanning', () => {
  const file = join(folder.path, 'macros.conf')
  writeFileSync(
    file,
    '.ifdef _HAVE_CONTENT_SCANNING\n.ifdef _HAVE_MALWARE_CLAMD\n.ifdef _ACL_COND_MALWARE\n.ifdef _ACL_COND_MIME_REGEX\nprimary_hostname = has.it\n.endif\n.endif\n.endif\n.endif\n',
  )
  const shown = spawnSync(postern, ['-C', file, '-bP', 'primary_hostname'], { encoding: 'utf8' })
  assert.match(shown.stdout, /has\.it/)
  assert.match(
    spawnSync(postern, ['-C', file, '-bV'], { encoding: 'utf8' }).stdout,
    /^Support for:.* Content_Scanning\b/m,
  )
})
