/**
 * Floods: thousands of idle connections, a hundred thousand recipients, a header of 10 MB, MIME ten thousand deep, regular
 * expressions made to explode. Beside each of them another client is served, and afterwards the memory is as before.
 * (A thousand slow clients: slow-clients.test.ts.) In small here, whole with `POSTERN_SURVIVAL=full`.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { treeKib } from '../support/processes.ts'
import { type StartedServer, startServer, temporaryFolder, until } from '../support/server.ts'
import { connectSmtp } from '../support/smtp-client.ts'

const full = process.env.POSTERN_SURVIVAL === 'full'
const descriptors = Number(spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout)
const idleConnections = Math.min(
  full ? 10_000 : 2000,
  (Number.isNaN(descriptors) ? 20_000 : descriptors) - 500,
)
const recipients = full ? 100_000 : 20_000
/** How much more than before may be kept: V8 does not give every page back at once. */
const keptKib = 40 << 10
/** The longest that another client may wait for an answer; generous, as other tests keep the machine busy. */
const longestMs = 2000

const folder = temporaryFolder('floods')
const skip = existsSync('/proc/self/smaps_rollup') ? false : 'needs /proc'
let server: StartedServer
let levelKib = 0

before(async () => {
  if (skip !== false) return
  server = await startServer({
    folder: folder.path,
    configuration: `primary_hostname = mx.example
host_lookup =
smtp_accept_max = 0
smtp_accept_max_per_host = 0
recipients_max = 0
smtp_accept_max_nonmail = 1000000
message_size_limit = 50M
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  deny condition = \${if match{$local_part}{^(a+)+\\$}}
  deny condition = \${if match{$local_part}{^(a|a)*\\$}}
  deny condition = \${if match{$local_part}{^([a-z]+)*[0-9]\\$}}
  accept
begin routers
hole:
  driver = redirect
  data = :blackhole:
`,
  })
  // What is loaded and compiled at first use counts as the level.
  for (let i = 0; i < 30; i++) await deliver(['u@d.example'], 'Subject: x\n\nx\n')
  levelKib = treeKib(server.process.pid ?? 0)
})
after(async () => {
  if (skip === false) await server.stop()
  folder.remove()
})

async function deliver(to: readonly string[], message: string): Promise<number> {
  const client = await connectSmtp(server.port, '127.0.0.1', 120_000)
  try {
    await client.say('EHLO client.example')
    return (await client.deliver('a@client.example', to, message)).code
  } finally {
    client.end()
  }
}

/** Does something bad while another client asks again and again; gives the longest that this one waited. */
async function beside(bad: () => Promise<void>): Promise<number> {
  const other = await connectSmtp(server.port)
  let worst = 0
  let asking = true
  const asked = (async () => {
    while (asking) {
      const from = performance.now()
      assert.equal((await other.say('NOOP')).code, 250)
      worst = Math.max(worst, performance.now() - from)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  try {
    await bad()
  } finally {
    asking = false
    await asked
    other.end()
  }
  return worst
}

/** The flood, the other client, and the memory at its height and afterwards. */
async function flood(say: (line: string) => void, bad: () => Promise<void>): Promise<void> {
  const pid = server.process.pid ?? 0
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, treeKib(pid))), 500)
  let waitedMs: number
  try {
    waitedMs = await beside(bad)
  } finally {
    clearInterval(watch)
  }
  most = Math.max(most, treeKib(pid))
  const from = performance.now()
  // Whole, it is also seen whether the memory stays low.
  if (full) await new Promise((resolve) => setTimeout(resolve, 30_000))
  const back = await until(() => (treeKib(pid) <= levelKib + keptKib ? true : undefined), 90_000)
  const kib = treeKib(pid)
  const seconds = ((performance.now() - from) / 1000).toFixed(0)
  say(
    `another client waited ${waitedMs.toFixed(0)} ms at most; memory ${mib(levelKib)} before, ${mib(most)} at most, ${mib(kib)} ${seconds} s after it`,
  )
  assert.ok(back, `memory stays at ${mib(kib)}; it was ${mib(levelKib)}`)
  assert.ok(waitedMs < longestMs, `another client waited ${waitedMs.toFixed(0)} ms`)
  assert.equal(server.log('panic'), '')
}
const mib = (kib: number): string => `${Math.round(kib / 1024)} MiB`

test(`${idleConnections} idle connections`, { skip, timeout: 180_000 }, async (t) => {
  const sockets: Socket[] = []
  try {
    await flood(
      (line) => t.diagnostic(line),
      async () => {
        while (sockets.length < idleConnections) {
          sockets.push(...(await Promise.all(Array.from({ length: 100 }, open))))
        }
        assert.equal(await deliver(['u@d.example'], 'Subject: beside them\n\nx\n'), 250)
        assert.equal(sockets.filter((socket) => socket.destroyed).length, 0)
        // Their memory is looked at while they are there.
        await new Promise((resolve) => setTimeout(resolve, 1000))
        for (const socket of sockets.splice(0)) socket.destroy()
      },
    )
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', reject)
    socket.once('data', () => {
      socket.on('data', () => undefined)
      socket.write('EHLO idle.example\r\n')
      resolve(socket)
    })
  })
}

test(`a message for ${recipients} recipients`, { skip, timeout: 240_000 }, async (t) => {
  await flood(
    (line) => t.diagnostic(line),
    async () => {
      const client = await connectSmtp(server.port, '127.0.0.1', 120_000)
      await client.say('EHLO client.example')
      await client.say('MAIL FROM:<a@client.example>')
      let taken = 0
      for (let n = 0; n < recipients; n += 100) {
        const lines = Array.from({ length: 100 }, (_, i) => `RCPT TO:<u-${n + i}@d.example>\r\n`)
        client.send(lines.join(''))
        for (const _line of lines) if ((await client.reply()).code === 250) taken++
      }
      assert.equal(taken, recipients)
      await client.say('DATA')
      client.send('Subject: to many\r\n\r\nx\r\n.\r\n')
      assert.equal((await client.reply()).code, 250)
      client.end()
      const done = await until(() => (server.command('-bpc').stdout === '0\n' ? true : undefined), 120_000)
      assert.ok(done, 'delivered to all')
    },
  )
})

test('a header of 10 MB is refused, in one line and in many', { skip, timeout: 120_000 }, async (t) => {
  await flood(
    (line) => t.diagnostic(line),
    async () => {
      assert.equal(await deliver(['u@d.example'], `Subject: ${'x'.repeat(10 << 20)}\n\nx\n`), 552)
      const lines = `X-Line: ${'x'.repeat(70)}\n`.repeat((10 << 20) / 79)
      assert.equal(await deliver(['u@d.example'], `${lines}\nx\n`), 552)
    },
  )
})

test('MIME ten thousand deep', { skip, timeout: 120_000 }, async (t) => {
  const parts = Array.from(
    { length: 10_000 },
    (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\n\n--b${i}\n`,
  )
  await flood(
    (line) => t.diagnostic(line),
    async () => {
      const message = `MIME-Version: 1.0\n${parts.join('')}Content-Type: text/plain\n\nx\n`
      for (let i = 0; i < 5; i++) assert.equal(await deliver(['u@d.example'], message), 250)
    },
  )
})

test('regular expressions made to explode', { skip, timeout: 120_000 }, async (t) => {
  await flood(
    (line) => t.diagnostic(line),
    async () => {
      const client = await connectSmtp(server.port, '127.0.0.1', 60_000)
      await client.say('EHLO client.example')
      await client.say('MAIL FROM:<a@client.example>')
      for (let n = 20; n <= 60; n += 5) {
        const { code } = await client.say(`RCPT TO:<${'a'.repeat(n)}-@d.example>`)
        assert.ok(code === 250 || code === 451, String(code))
      }
      client.end()
    },
  )
})
