/** How long the callout cache of a started server believes its records, and the time limits of a callout. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { startSink } from './support/smtp-sink.ts'

const acls = {
  plain: 'require verify = recipient/callout=10s',
  random: 'require verify = recipient/callout=10s,random',
  postmaster: 'require verify = recipient/callout=10s,postmaster',
  connect: 'require verify = recipient/callout=60s,connect=1s',
  commands: 'require verify = recipient/callout=2s,connect=20s',
  maxwait: 'require verify = recipient/callout=2s,maxwait=1s',
  enough: 'require verify = recipient/callout=2s,maxwait=20s',
} as const

interface Ports {
  readonly sink: number
  readonly hanging?: number
  readonly full?: number
}

function configuration(extra: string, ports: Ports): string {
  return `primary_hostname = mx.test.example
host_lookup =
helo_lookup_domains =
tls_advertise_hosts =
queue_only
acl_smtp_rcpt = acl_\${lc:$sender_helo_name}
${extra}
begin acl
${Object.entries(acls)
  .map(([name, text]) => `acl_${name}:\n  ${text}\n  accept\n`)
  .join('')}
begin routers
full:
  driver = manualroute
  domains = full.example
  route_list = * 127.0.0.1::${ports.full ?? 1}
  self = send
  transport = out
two:
  driver = manualroute
  domains = two.example
  route_list = * "127.0.0.1::${ports.hanging ?? 1}:127.0.0.2::${ports.sink}"
  self = send
  transport = out
far:
  driver = manualroute
  route_list = * 127.0.0.1::${ports.sink}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
`
}

const rcpt = (line: string): string => {
  if (line.includes('<good')) return '250 ok'
  return line.includes('@pm.example') && !line.includes('<postmaster') ? '250 ok' : '550 no'
}

/** What each kind of record answers for, and what the next host hears when the record is over. */
const kinds = [
  { option: 'callout_positive_expire', acl: 'plain', address: 'good@p.example', heard: /TO:<good@p\./ },
  { option: 'callout_negative_expire', acl: 'plain', address: 'bad@n.example', heard: /TO:<bad@n\./ },
  {
    option: 'callout_domain_positive_expire',
    acl: 'random',
    address: 'good*@r.example',
    heard: /-testing@r\.example/,
  },
  {
    option: 'callout_domain_negative_expire',
    acl: 'postmaster',
    address: 'x@pm.example',
    heard: /TO:<postmaster@pm\./,
  },
] as const

let asked = 0

async function askFor(server: StartedServer, acl: keyof typeof acls, address: string): Promise<string> {
  const client = await connectSmtp(server.port)
  // A star: an address that was not asked for before, so that only the record of its domain counts.
  const fresh = address.replace('*', String(asked++))
  await client.say(`EHLO ${acl}`)
  await client.say('MAIL FROM:<a@b.example>')
  const { raw } = await client.say(`RCPT TO:<${fresh}>`)
  client.end()
  return raw
}

for (const short of kinds) {
  void test(`callout cache: a record is believed until ${short.option} is over, and the others longer`, async () => {
    const folder = temporaryFolder('callout-times')
    const sink = await startSink({ rcpt })
    const server = await startServer({
      configuration: configuration(`${short.option} = 1s`, { sink: sink.port }),
      folder: folder.path,
      arguments: [],
    })
    const count = (pattern: RegExp): number => sink.commands.filter(({ line }) => pattern.test(line)).length
    try {
      for (const { acl, address, heard } of kinds) {
        await askFor(server, acl, address)
        assert.equal(count(heard), 1, address)
      }
      // Each question about the domain renews its record, but not what is known of random local parts.
      const again = await until(async () => {
        await askFor(server, short.acl, short.address)
        return count(short.heard) > 1 ? true : undefined
      }, 30_000)
      assert.ok(again, `${short.address} is asked for again`)
      for (const { option, acl, address, heard } of kinds) {
        await askFor(server, acl, address)
        if (option !== short.option) assert.equal(count(heard), 1, `${option} is not over`)
      }
    } finally {
      await server.stop()
      await sink.close()
      folder.remove()
    }
  })
}

void test('callout: the time limits of one question', async (group) => {
  const folder = temporaryFolder('callout-limits')
  const sink = await startSink({ rcpt }, '127.0.0.2')
  const hanging = await startSink({ rcpt: () => 'hang' })
  const full = await startFull()
  const server = await startServer({
    configuration: configuration('', { sink: sink.port, hanging: hanging.port, full: full.port }),
    folder: folder.path,
    arguments: [],
  })
  try {
    await group.test(
      'connect= ends the wait for a connection, long before the time of a command',
      async () => {
        const startedAt = Date.now()
        assert.match(await askFor(server, 'connect', 'good@full.example'), /^451 Could not complete/)
        assert.ok(Date.now() - startedAt < 40_000, 'less than the time of a command')
        await server.logged(/<good@full\.example>: Could not complete [^\n]*: Connection timed out\n/)
      },
    )
    await group.test('connect= says nothing of commands: those have the time of the callout', async () => {
      const startedAt = Date.now()
      await askFor(server, 'commands', 'good@two.example')
      assert.ok(Date.now() - startedAt < 18_000)
      assert.ok(hanging.commands.some(({ line }) => line === 'RCPT TO:<good@two.example>'))
    })
    await group.test('maxwait= lets no further host be tried when it is over', async () => {
      const before = sink.connections
      assert.match(await askFor(server, 'maxwait', 'good2@two.example'), /^451 Could not complete/)
      assert.equal(sink.connections, before)
      await server.logged(/<good2@two\.example>: Could not complete [^\n]*: SMTP timeout after RCPT/)
    })
    await group.test('the next host is tried while maxwait= is not over', async () => {
      const before = sink.connections
      assert.match(await askFor(server, 'enough', 'good3@two.example'), /^250 /)
      assert.equal(sink.connections, before + 1)
    })
  } finally {
    await server.stop()
    await Promise.all([sink.close(), hanging.close(), full.close()])
    folder.remove()
  }
})

interface Full {
  readonly port: number
  close(): Promise<void>
}

/** A port whose queue of connections is full: the system leaves further ones without an answer. */
async function startFull(): Promise<Full> {
  const program =
    'const s = require("node:net").createServer(); s.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(s.address().port))'
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [text]: unknown[] = await once(child.stdout, 'data')
  const port = Number(String(text))
  // One that is stopped takes no connection out of its queue.
  child.kill('SIGSTOP')
  const sockets: Socket[] = []
  let connected = 0
  for (let i = 0; i < 8; i++) {
    const socket = connect(port, '127.0.0.1', () => connected++)
    socket.on('error', () => {})
    sockets.push(socket)
  }
  await until(() => (connected >= 2 ? true : undefined), 10_000)
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
