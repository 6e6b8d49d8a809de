/**
 * Promise 8 of SECURITY: log lines, replies, added headers, bounces and the commands to the next host carry no control
 * character and no line end that came from outside, wherever a configuration puts what a client said.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startDnsServer } from './support/dns-server.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'

/** What must never be seen at the start of a line. */
const forged = 'X-Evil: yes'
/** Bytes that move a cursor, end a line or a string: C0, DEL and the C1 of Latin-1. */
const odd = 'a\x00b\x01c\x07d\x08e\x0bf\x1b[2Jg\x7fh\x9b2Ji\x85j'

const folder = temporaryFolder('security-output')
let server: StartedServer
let sink: Sink
let dns: Awaited<ReturnType<typeof startDnsServer>>

before(async () => {
  dns = await startDnsServer({
    '1.0.0.127.in-addr.arpa PTR': [{ type: 'PTR', data: 'host\x1b[2j\r\nx-evil: yes.example' }],
    'host\x1b[2j\r\nx-evil: yes.example A': [{ type: 'A', data: '127.0.0.1' }],
  })
  sink = await startSink({
    rcpt: (line) => (line.includes('refused') ? `550 no\x1b[2J\x00\x9b such\rX-Evil: yes` : '250 ok'),
  })
  server = await startServer({
    folder: folder.path,
    environment: { POSTERN_DNS: `127.0.0.1:${dns.port}` },
    configuration: `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup = *
log_selector = +all
log_format_json = ${folder.path}/log/json
smtp_accept_max_nonmail = 1000
smtp_max_synprot_errors = 100
smtp_max_unknown_commands = 100
helo_allow_chars = _
helo_accept_junk_hosts = *
dsn_advertise_hosts = *
acl_smtp_helo = helo
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = data
acl_smtp_vrfy = vrfy
begin acl
helo:
  accept logwrite = :main,reject: helo $sender_helo_name $smtp_command
mail:
  accept logwrite = mail $sender_address $smtp_command $sender_host_name
rcpt:
  deny local_parts = denied
       message = no $local_part $sender_address $sender_helo_name $sender_host_name
       log_message = denied $local_part $sender_address $smtp_command
  accept add_header = X-Rcpt: $local_part $sender_address $sender_helo_name
         logwrite = rcpt $local_part
vrfy:
  deny message = no $smtp_command_argument
data:
  deny condition = \${if eq{$h_x-want:}{deny}}
       message = not $h_subject: $rh_subject: $bh_subject: $message_body
       log_message = not $h_subject: $rh_subject:
  warn message = X-Warn: $h_subject:
  warn add_header = X-Note: $h_subject:
       add_header = X-Raw: $rh_subject:
       add_header = :at_start:X-First: $bh_subject:
       add_header = X-Own: 1\\nX-Rest: $h_subject:
       logwrite = data $h_subject: $rh_subject: $message_body $h_from:
  accept
begin routers
far:
  driver = manualroute
  domains = far.example
  route_list = * 127.0.0.1
  self = send
  transport = out
back:
  driver = redirect
  domains = fail.example
  allow_fail
  data = :fail: no $local_part \${sg{$h_subject:}{x}{x}}
hole:
  driver = redirect
  domains = hole.example
  headers_add = X-Router: $h_subject:
  data = $local_part@far.example
begin transports
out:
  driver = smtp
  port = ${sink.port}
  allow_localhost
  hosts_try_chunking =
  headers_add = X-Transport: $h_subject:
begin retry
* * F,1h,10m
`,
  })
})
after(async () => {
  await server?.stop()
  await sink?.close()
  await dns?.close()
  folder.remove()
})

async function session(work: (client: SmtpClient) => Promise<void>): Promise<void> {
  const client = await connectSmtp(server.port)
  try {
    await work(client)
  } finally {
    client.end()
  }
}

/** Controls of C0 but tab and line end, DEL, and those of C1 that are not within a character of UTF-8. */
function controlsIn(text: string): string[] {
  const whole = text.replaceAll(/[\xc3-\xdf][\x80-\xbf]|\xc2[\xa0-\xbf]|[\xe0-\xef][\x80-\xbf]{2}/g, '')
  return [...whole.matchAll(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g)].map(({ index }) =>
    JSON.stringify(whole.slice(Math.max(0, index - 60), index + 20)),
  )
}

function assertClean(text: string, what: string): void {
  assert.deepEqual(controlsIn(text), [], what)
  assert.doesNotMatch(text, /^X-Evil/m, what)
}

test('commands: no reply and no log line carries a control character or a line end', async () => {
  // The first with NUL, which is refused as such; the second gets further.
  for (const bad of [odd, odd.replaceAll('\0', '')])
    await session(async (client) => {
      const say = async (line: string): Promise<number> => {
        const { raw, code } = await client.say(line)
        for (const each of raw.split('\r\n')) assert.match(each, /^(?:\d{3}[ -].*)?$/, line)
        assertClean(raw.replaceAll('\r\n', '\n'), line)
        return code
      }
      for (const line of [`EHLO a${bad}`, `EHLO [${bad}]`, `HELO x\r${forged}`, 'EHLO ok']) await say(line)
      for (const address of [`a${bad}`, `"a${bad}"`, `"a\\\x1b"`, `"a\r${forged}"`, `"a\\\r${forged}"`])
        assert.equal(await say(`MAIL FROM:<${address}@b.example>`), 501, JSON.stringify(address))
      const envelopeId = `a+0D+0A${forged.replace(' ', '+20')}+00+1B+9B`
      assert.equal(await say(`MAIL FROM:<a@b.example> ENVID=${bad}`), 501)
      assert.equal(await say(`MAIL FROM:<a@b.example> ENVID=${envelopeId}`), 250)
      for (const address of [`denied${bad}`, `"denied${bad}"`, `"denied\r${forged}"`])
        assert.equal(await say(`RCPT TO:<${address}@far.example>`), 501, JSON.stringify(address))
      assert.equal(await say(`RCPT TO:<denied@far.example> ORCPT=rfc822;${bad}`), 501)
      assert.equal(await say('RCPT TO:<denied@far.example>'), 550)
      for (const verb of ['VRFY ', 'EXPN ', 'FOO', 'NOOP ', 'AUTH ', 'ETRN #', 'HELP '])
        for (const rest of [bad, `x\r${forged}`]) await say(verb + rest)
    })
})

const subjects: readonly (readonly [what: string, subject: string])[] = [
  ['raw bytes', `raw ${odd}`],
  ['a bare CR', `cr \r${forged}`],
  ['an encoded word with CRLF', 'word =?utf-8?q?a=0D=0AX-Evil:_yes?='],
  ['an encoded word with LF, NUL, ESC and C1', 'word =?utf-8?q?a=0AX-Evil:_yes=00=1B[2J=C2=9B?='],
  ['an encoded word of C1 in Latin-1', 'word =?iso-8859-1?b?YQpYLUV2aWw6IHllc5uF?='],
  ['a folded line', 'fold\r\n X-Evil: yes'],
]

async function sendAbout(subject: string, to: string, want = ''): Promise<string> {
  let raw = ''
  await session(async (client) => {
    await client.say('EHLO ok.example')
    await client.say(`MAIL FROM:<s@far.example> ENVID=a+0D+0AX-Evil:+20yes+00+1B+9B`)
    await client.say(`RCPT TO:<${to}> ORCPT=rfc822;a+0D+0AX-Evil:+20yes+1B+9B@b`)
    await client.say('DATA')
    client.send(`From: <x@y.example>\r\nX-Want: ${want}\r\nSubject: ${subject}\r\n\r\nbody ${odd}\r\n.\r\n`)
    raw = (await client.reply()).raw
  })
  return raw
}

for (const [what, subject] of subjects) {
  test(`${what} in a header: the refusal that quotes it is one reply`, async () => {
    const raw = await sendAbout(subject, 'a@far.example', 'deny')
    // A line end begins another line of the same reply.
    for (const line of raw.split('\r\n').slice(0, -1)) assert.match(line, /^550[ -]/)
    assert.deepEqual(controlsIn(raw.replaceAll('\r\n', '\n')), [])
  })

  test(`${what} in a header: what ACLs, routers and transports add with it stays one line`, async () => {
    for (const to of ['added@far.example', 'added@hole.example']) {
      const before = sink.messages.length
      assert.match(await sendAbout(subject, to), /^250/)
      const got = await until(() => sink.messages[before], 10_000)
      const [head = ''] = (got?.data ?? '').split('\r\n\r\n')
      assert.doesNotMatch(head, /^X-Evil/m, head)
      const added = head.replaceAll(/\r\n[ \t]/g, ' ').split('\r\n')
      for (const name of ['X-Rcpt', 'X-Note', 'X-Raw', 'X-First', 'X-Own', 'X-Rest', 'X-Warn', 'X-Transport'])
        assert.equal(added.filter((line) => line.startsWith(`${name}: `)).length, 1, `${name}\n${head}`)
      // The message's own header passes as it came; what we add is clean.
      assertClean(added.filter((line) => !/^(?:Subject|X-Raw):/.test(line)).join('\n'), head)
      assert.deepEqual(controlsIn(added.find((line) => line.startsWith('X-Raw:')) ?? ''), [])
    }
  })

  test(`${what} in a header: the bounce that quotes it has fields and text of ours only`, async () => {
    for (const to of ['refused@far.example', 'b@fail.example']) {
      const before = sink.messages.length
      assert.match(await sendAbout(subject, to), /^250/)
      const got = await until(
        () => sink.messages.slice(before).find(({ mail }) => mail.includes('<>')),
        10_000,
      )
      assert.ok(got !== undefined, 'the bounce came')
      // From the part with the message itself on it is the sender's own.
      const [ours = ''] = got.data.split(/Content-type: (?:message\/rfc822|text\/rfc822-headers)/)
      assert.match(ours, /Original-Recipient: rfc822;a\+0D\+0AX-Evil:\+20yes/)
      assert.match(ours, /Original-Envelope-ID: a\+0D\+0AX-Evil:/)
      const lines = ours.replaceAll('\r\n', '\n').replace(/^X-Transport:.*\n(?:[ \t].*\n)*/m, '')
      assertClean(lines, what)
    }
  })
}

test('what a next host says reaches log and bounce without controls, and mail goes out under no forged command', () => {
  assert.match(server.log(), /550 no\\033\[2J\\000\\302\\233 such\\rX-Evil: yes/)
  for (const { line } of sink.commands) assertClean(line, line)
})

test('the main, the reject and the panic log and the JSON twin are clean as a whole', () => {
  for (const name of ['main', 'reject', 'panic'] as const) assertClean(server.log(name), name)
  const twin = readFileSync(join(folder.path, 'log', 'json'), 'latin1')
  assertClean(twin, 'the JSON twin')
  assert.ok(twin.split('\n').length > 50)
  // Each line of the main log is one that we began.
  for (const line of server.log().split('\n').slice(0, -1)) assert.match(line, /^\d{4}-\d\d-\d\d \d\d:/)
})

test('a queue listing and the summary of a message show no control character', () => {
  for (const args of [['-bp'], ['-bpra']]) assertClean(server.command(...args).stdout, args.join(' '))
})
