/**
 * SMTP smuggling: what published attacks send in place of the end of data, through DATA and through BDAT. Whatever comes,
 * the next host gets one message, and its body is byte for byte the one that the ACL for the message saw.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { falseEnds } from './support/false-ends.ts'

const forged =
  'MAIL FROM:<forged@b.example>\r\nRCPT TO:<victim@far.example>\r\nDATA\r\nSubject: forged\r\n\r\nforged'

const folder = temporaryFolder('smuggling')
let server: StartedServer
let sink: Sink

before(async () => {
  sink = await startSink()
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup =
message_body_visible = 100000
message_body_newlines
smtp_accept_max_nonmail = 1000
message_size_limit = 300K
header_maxsize = 200K
header_line_maxsize = 100K
acl_smtp_rcpt = accept
acl_smtp_data = acl_data
begin acl
acl_data:
  warn logwrite = saw $h_subject: \${base64:$message_body}
  accept
begin routers
far:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = ${sink.port}
  allow_localhost
  hosts_try_chunking =
`,
  })
})
after(async () => {
  await server?.stop()
  await sink?.close()
  folder.remove()
})

for (const way of ['DATA', 'BDAT'] as const) {
  for (const [number, sequence] of falseEnds.entries()) {
    test(`${way}: ${JSON.stringify(sequence)} passes on one message, as it was accepted`, async () => {
      const subject = `${way}-${number}`
      const text = `Subject: ${subject}\r\n\r\nbefore${sequence}${forged}`
      const client = await connectSmtp(server.port)
      await client.say('EHLO x')
      await client.say('MAIL FROM:<a@b.example>')
      await client.say('RCPT TO:<u@far.example>')
      const reply =
        way === 'DATA'
          ? (await client.say('DATA'), await client.say(`${text}\r\n.`))
          : await (client.send(`BDAT ${text.length} LAST\r\n${text}`), client.reply())
      assert.equal(reply.code, 250)
      assert.equal((await client.say('NOOP')).code, 250, 'nothing after it was taken for a command')
      client.end()
      const [, saw = ''] = await server.logged(new RegExp(`saw ${subject} (\\S+)`))
      const got = await until(
        () => sink.messages.find(({ data }) => data.includes(`Subject: ${subject}\r\n`)),
        10_000,
      )
      assert.ok(got !== undefined, 'the message was passed on')
      assert.deepEqual(got.rcpts.length, 1)
      assert.match(got.mail, /<a@b\.example>/)
      const body = got.data.slice(got.data.indexOf('\r\n\r\n') + 4)
      assert.doesNotMatch(body, /(?<!\r)\n|\r(?!\n)/, 'no line end but CRLF')
      const accepted = Buffer.from(saw, 'base64').toString('latin1')
      // NUL is shown as a space in $message_body.
      assert.equal(body.replaceAll('\r\n', '\n').replaceAll('\0', ' '), accepted)
      assert.ok(accepted.includes('forged@b.example'), 'the whole text is the body')
    })
  }
}

// CVE-2026-94057 of Exim: what comes after a refusal that is already certain was read as commands.
const refused: readonly (readonly [string, string, number])[] = [
  ['the message is too large', 'Subject: large\r\n\r\n'.padEnd(600_000, 'y\r\n'), 552],
  ['the header is too large', `X-Long: ${' a\r\n'.repeat(80_000)}`, 552],
  ['a header line is too long', `X-Long: ${'a'.repeat(150_000)}\r\n`, 552],
]
for (const way of ['DATA', 'BDAT'] as const) {
  for (const [what, text, code] of refused) {
    test(`${way}: ${what}, and what follows in it is not obeyed`, async () => {
      const client = await connectSmtp(server.port)
      await client.say('EHLO x')
      await client.say('MAIL FROM:<a@b.example>')
      await client.say('RCPT TO:<u@far.example>')
      const whole = `${text}\n.\n${forged}\r\n.\n${forged}\r.\r\n${forged}`
      const reply =
        way === 'DATA'
          ? (await client.say('DATA'), await client.say(`${whole}\r\n.`))
          : await (client.send(`BDAT ${whole.length} LAST\r\n${whole}`), client.reply())
      assert.equal(reply.code, code, reply.raw)
      assert.equal((await client.say('NOOP')).code, 250, 'nothing after it was taken for a command')
      client.end()
    })
  }
}

test('the next host never heard of the forged sender', () => {
  assert.equal(
    sink.commands.some(({ line }) => line.includes('forged') || line.includes('victim')),
    false,
  )
  assert.equal(sink.messages.length, 2 * falseEnds.length)
})
