/** Beside a thousand clients that send a byte a second, another one is served at once. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { connectSmtp } from './support/smtp-client.ts'
import { startServer, temporaryFolder } from './support/server.ts'

const slowClients = 1000
/** What is promised; where other tests keep the machine so busy that a client alone takes longer, twice that time. */
const promisedMs = 100
const configuration = `primary_hostname = mx.test.example
qualify_domain = test.example
host_lookup =
smtp_accept_max = 2000
smtp_accept_max_per_host = 0
smtp_receive_timeout = 1h
smtp_enforce_sync = false
queue_only
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
all:
  driver = accept
  transport = null
begin transports
null:
  driver = appendfile
  file = /dev/null
`

test('a healthy client beside 1,000 slow ones (a byte a second) is served within 100 ms', async () => {
  const folder = temporaryFolder('slow')
  const server = await startServer({ configuration, folder: folder.path, arguments: [] })
  const slow: Socket[] = []
  let dripping: NodeJS.Timeout | undefined
  try {
    const alone = await serve(server.port)
    for (let begun = 0; begun < slowClients; begun += 50) {
      const some = await Promise.all(Array.from({ length: 50 }, () => open(server.port)))
      slow.push(...some)
    }
    // Half of them in the middle of a command, half in the middle of a message.
    for (const [i, socket] of slow.entries()) {
      if (i % 2 === 0) continue
      socket.write('EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>\r\n')
    }
    await new Promise((resolve) => setTimeout(resolve, 500))
    for (const [i, socket] of slow.entries()) if (i % 2 === 1) socket.write('DATA\r\n')
    let next = 0
    // A byte a second from each, spread over the second.
    dripping = setInterval(() => {
      for (let i = 0; i < slowClients / 50; i++) slow[next++ % slowClients]?.write('x')
    }, 20)
    const beside = await serve(server.port)
    const limitMs = Math.max(promisedMs, 2 * alone)
    assert.ok(beside < limitMs, `${beside.toFixed(0)} ms beside them, ${alone.toFixed(0)} ms alone`)
    assert.equal(slow.filter((socket) => socket.destroyed).length, 0, 'slow clients are still there')
  } finally {
    clearInterval(dripping)
    for (const socket of slow) socket.destroy()
    await server.stop()
    folder.remove()
  }
})

/** Milliseconds of a whole session with one message: the middle of twenty, as a busy machine may hold up any one. */
async function serve(port: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    const from = performance.now()
    const client = await connectSmtp(port)
    await client.say('EHLO healthy')
    const reply = await client.deliver('a@b.example', ['u@test.example'], 'Subject: x\n\nx\n')
    assert.equal(reply.code, 250)
    await client.say('QUIT')
    client.end()
    times.push(performance.now() - from)
  }
  return times.sort((a, b) => a - b)[10] ?? Infinity
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', reject)
    socket.once('data', () => {
      socket.on('data', () => undefined)
      resolve(socket)
    })
  })
}
