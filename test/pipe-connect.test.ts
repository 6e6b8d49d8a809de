/** Early pipelining of the smtp transport. */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { type StartedServer, startServer, temporaryFolder } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'

const folders: { remove(): void }[] = []
const running: StartedServer[] = []
after(async () => {
  for (const each of running) await each.stop()
  for (const each of folders) each.remove()
})

async function start(configuration: string): Promise<StartedServer> {
  const folder = temporaryFolder('pipe-connect')
  folders.push(folder)
  const server = await startServer({ configuration, folder: folder.path, arguments: [] })
  running.push(server)
  return server
}

const front = (port: number, hosts: string): string => `primary_hostname = front.example
log_selector = +pipelining
acl_smtp_rcpt = accept
begin routers
all:
  driver = accept
  transport = out
begin transports
out:
  driver = smtp
  hosts = 127.0.0.1
  port = ${port}
  allow_localhost
  connection_max_messages = 1
  hosts_pipe_connect = ${hosts}
begin retry
* * F,1h,10m
`

async function send(server: StartedServer, to: string): Promise<void> {
  const client = await connectSmtp(server.port)
  await client.say('EHLO client.example')
  await client.deliver('a@b.example', [to], 'Subject: x\n\nx\n')
  client.end()
  await server.logged(new RegExp(`=> ${to.replaceAll('.', '\\.')} `))
}

test('hosts_pipe_connect: the second connection says EHLO before the greeting, and both sides log it', async () => {
  const back = await start(`primary_hostname = back.example
log_selector = +pipelining
pipelining_connect_advertise_hosts = *
acl_smtp_connect = accept delay = 1s
acl_smtp_rcpt = accept
begin routers
all:
  driver = redirect
  data = :blackhole:
`)
  const server = await start(front(back.port, '*'))
  await send(server, 'first@x.example')
  await send(server, 'second@x.example')
  assert.match(server.log(), /=> first@x\.example .* L K C=/)
  assert.match(server.log(), /=> second@x\.example .* L\* /)
  assert.match(back.log(), / <= a@b\.example H=.* L\. /)
  await back.logged(/ <= a@b\.example H=.* L\* /)
})

test('a host that offers PIPECONNECT no longer, or is not listed, is greeted in turn', async () => {
  // Greets once the client has spoken, or has kept still for a while.
  let offers = true
  const spokeFirst: boolean[] = []
  const sockets = new Set<Socket>()
  const host = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let greeted = false
    let inData = false
    const greet = (early: boolean): void => {
      if (greeted) return
      greeted = true
      spokeFirst.push(early)
      socket.write('220 far\r\n')
    }
    const timer = setTimeout(() => greet(false), 500)
    socket.on('data', (bytes) => {
      clearTimeout(timer)
      greet(true)
      for (const line of bytes.toString('latin1').split('\r\n')) {
        if (inData) {
          if (line === '.') socket.write('250 taken\r\n')
          if (line === '.') inData = false
        } else if (line.startsWith('EHLO'))
          socket.write(`250-far\r\n250 ${offers ? 'PIPECONNECT' : 'HELP'}\r\n`)
        else if (line === 'DATA') {
          inData = true
          socket.write('354 go\r\n')
        } else if (line === 'QUIT') socket.end('221 bye\r\n')
        else if (line !== '') socket.write('250 ok\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', () => resolve()))
  const address = host.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    const server = await start(front(port, '127.0.0.1'))
    await send(server, 'a@x.example')
    offers = false
    await send(server, 'b@x.example')
    await send(server, 'c@x.example')
    assert.deepEqual(spokeFirst, [false, true, false])
    const other = await start(front(port, '192.0.2.1'))
    offers = true
    await send(other, 'a@x.example')
    await send(other, 'b@x.example')
    assert.deepEqual(spokeFirst.slice(3), [false, false])
  } finally {
    for (const socket of sockets) socket.destroy()
    host.close()
  }
})
