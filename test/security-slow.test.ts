/** Promise 3 of SECURITY: a time per command and per message. Who sends a byte now and then is cut off; who is merely slow is served. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connectSmtp, type SmtpClient } from './support/smtp-client.ts'
import { type StartedServer, startServer, temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('security-slow')
const timeoutMs = 2000
let server: StartedServer

before(async () => {
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mx.example
host_lookup =
smtp_receive_timeout = ${timeoutMs / 1000}s
smtp_enforce_sync = false
queue_only
acl_smtp_rcpt = accept
`,
  })
})
after(async () => {
  await server?.stop()
  folder.remove()
})

const envelope = async (client: SmtpClient): Promise<void> => {
  for (const line of ['EHLO x', 'MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>'])
    assert.equal((await client.say(line)).code, 250)
}

/** Sends a piece each 200 ms, until the server has closed or all is said; milliseconds until then. */
async function drip(
  client: SmtpClient,
  pieces: readonly string[],
): Promise<{ readonly ms: number; readonly said: number }> {
  const began = Date.now()
  let gone = false
  const closed = client.closed().then(() => (gone = true))
  let said = 0
  while (!gone && said < pieces.length) {
    client.send(pieces[said++] ?? '')
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 200))])
  }
  return { ms: Date.now() - began, said }
}

const bytes = (count: number): string[] => Array.from({ length: count }, () => 'x')
const cut: readonly { readonly says: string; readonly first: (client: SmtpClient) => Promise<void> }[] = [
  { says: 'a command', first: async () => {} },
  {
    says: 'a message after DATA',
    async first(client) {
      await envelope(client)
      assert.equal((await client.say('DATA')).code, 354)
    },
  },
  {
    says: 'a chunk after BDAT',
    async first(client) {
      await envelope(client)
      client.send('BDAT 100000 LAST\r\n')
    },
  },
]

test('a byte each 200 ms: commands, messages and chunks are cut off in time, whatever keeps coming', async () => {
  await Promise.all(
    cut.map(async ({ says, first }) => {
      const client = await connectSmtp(server.port)
      await first(client)
      const { ms, said } = await drip(client, bytes(60))
      client.end()
      assert.ok(said < 60, `${says}: it was let go on`)
      assert.ok(ms > timeoutMs - 300 && ms < timeoutMs + 3000, `${says}: ${ms} ms`)
    }),
  )
  await server.logged(/SMTP command timeout/)
  await server.logged(/SMTP data timeout/)
})

test('who sends a message at 5 KB a second is served, though it takes longer than the time for a command', async () => {
  const client = await connectSmtp(server.port)
  await envelope(client)
  assert.equal((await client.say('DATA')).code, 354)
  const line = `${'x'.repeat(998)}\r\n`
  const { ms } = await drip(client, [
    'Subject: slow\r\n\r\n',
    ...Array.from({ length: 20 }, () => line),
    '.\r\n',
  ])
  assert.ok(ms > 1.5 * timeoutMs, String(ms))
  assert.equal((await client.reply()).code, 250)
  client.end()
})
