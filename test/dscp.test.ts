/** `control = dscp` and the smtp transport's `dscp`: the packets on the wire carry the traffic class. Needs root, to see packets. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { posixAvailable } from '../src/base/posix.ts'
import { type StartedServer, startServer, temporaryFolder, until } from './support/server.ts'
import { connectSmtp } from './support/smtp-client.ts'
import { type Sink, startSink } from './support/smtp-sink.ts'

const skip = process.getuid?.() !== 0 ? 'needs root, to see packets' : (posixAvailable() ?? false)
const folder = temporaryFolder('dscp')
let server: StartedServer
let four: Sink
let six: Sink
let plain: Sink

before(async () => {
  four = await startSink()
  six = await startSink({}, '::1')
  plain = await startSink()
  server = await startServer({
    folder: folder.path,
    arguments: [],
    configuration: `primary_hostname = mx.test.example
host_lookup =
tls_advertise_hosts =
acl_smtp_helo = acl_helo
acl_smtp_rcpt = accept
begin acl
acl_helo:
  accept control = dscp/\${sg{$sender_helo_name}{[.].*}{}}
begin routers
wrong:
  driver = manualroute
  local_parts = wrong
  route_list = * 127.0.0.1
  self = send
  transport = wrong
four:
  driver = manualroute
  local_parts = four
  route_list = * 127.0.0.1
  self = send
  transport = four
six:
  driver = manualroute
  route_list = * ::::1
  self = send
  transport = six
begin transports
four:
  driver = smtp
  port = ${four.port}
  dscp = af41
wrong:
  driver = smtp
  port = ${plain.port}
  dscp = \${if eq{$local_part}{wrong}{nonsense}{af41}}
six:
  driver = smtp
  port = ${six.port}
  dscp = 0x0A
`,
  })
})
after(async () => {
  await server?.stop()
  await four?.close()
  await six?.close()
  await plain?.close()
  folder.remove()
})

/** Collects the traffic class octets of packets with data that one TCP port sends or is sent. */
class Sniffer {
  readonly #fd: number
  readonly #recv: (fd: number, buffer: Buffer, size: number, flags: number) => number
  readonly #close: (fd: number) => number
  readonly #port: number
  readonly #way: 'from' | 'to'
  readonly #timer: NodeJS.Timeout
  readonly octets = new Set<number>()

  constructor(port: number, way: 'from' | 'to') {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const c = koffi.load('libc.so.6')
    const socket = c.func('socket', 'int', ['int', 'int', 'int'])
    this.#recv = c.func('recv', 'long', ['int', 'void *', 'size_t', 'int'])
    this.#close = c.func('close', 'int', ['int'])
    // AF_PACKET, SOCK_DGRAM: from the IP header on; ETH_P_ALL in network order.
    this.#fd = Number(socket(17, 2, 0x0300))
    assert.ok(this.#fd >= 0, 'no socket for packets')
    this.#port = port
    this.#way = way
    // Others' packets come too: the system keeps so many.
    this.#timer = setInterval(() => this.look(), 5)
  }

  /** Takes what has come so far. */
  look(): ReadonlySet<number> {
    const buffer = Buffer.alloc(65_536)
    // MSG_DONTWAIT
    for (let size = 1; size > 0; ) {
      size = Number(this.#recv(this.#fd, buffer, buffer.length, 0x40))
      if (size > 0) this.#packet(buffer.subarray(0, size))
    }
    return this.octets
  }

  #packet(packet: Buffer): void {
    const version = (packet[0] ?? 0) >> 4
    const head = version === 4 ? ((packet[0] ?? 0) & 15) * 4 : 40
    const protocol = version === 4 ? packet[9] : packet[6]
    if (protocol !== 6 || packet.length < head + 20) return
    const octet = version === 4 ? (packet[1] ?? 0) : (packet.readUInt16BE(0) >> 4) & 0xff
    const data = packet.length - head - ((packet[head + 12] ?? 0) >> 4) * 4
    if (packet.readUInt16BE(head + (this.#way === 'from' ? 0 : 2)) === this.#port && data > 0)
      this.octets.add(octet)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#close(this.#fd)
  }
}

for (const [value, octet] of [
  ['ef', 0xb8],
  ['AF41', 0x88],
  ['throughput', 0x08],
  ['0x2e', 0xb8],
  ['10', 0x28],
] as const) {
  test(`control = dscp/${value}: what is sent to the client is marked ${octet}`, { skip }, async () => {
    const client = await connectSmtp(server.port)
    await client.say(`EHLO ${value}.client.example`)
    const sniffer = new Sniffer(server.port, 'from')
    try {
      await client.say('NOOP')
      const seen = await until(() => (sniffer.look().size > 0 ? [...sniffer.octets] : undefined), 30_000)
      assert.deepEqual(seen, [octet])
    } finally {
      sniffer.close()
      client.end()
    }
  })
}

test('control = dscp with what is no class is an error of the ACL', async () => {
  for (const value of ['nonsense', '0x40', '64', '-1']) {
    const client = await connectSmtp(server.port)
    assert.equal((await client.say(`EHLO ${value}.client.example`)).code, 451, value)
    client.end()
  }
  await server.logged(/temporarily rejected EHLO or HELO nonsense\.client\.example: /)
})

for (const [says, to, octet, sink] of [
  ['a name, over IPv4', 'four', 0x88, () => four],
  ['a number, over IPv6', 'six', 0x28, () => six],
  ['a value that is none: not marked, and a line in the log', 'wrong', 0, () => plain],
] as const) {
  test(`smtp transport, dscp: ${says}`, { skip }, async () => {
    const sniffer = new Sniffer(sink().port, 'to')
    try {
      const client = await connectSmtp(server.port)
      await client.say('EHLO 0.client.example')
      const id = await client.deliver('a@b.example', [`${to}@far.example`], 'Subject: x\n\nx\n')
      client.end()
      assert.ok(id)
      await server.logged(new RegExp(`=> ${to}@far\\.example`))
      const seen = await until(() => (sniffer.look().size > 0 ? [...sniffer.octets] : undefined), 30_000)
      assert.deepEqual(seen, [octet])
      if (to === 'wrong')
        assert.match(server.log(), /DSCP of the connection is left as it is: unknown value "nonsense"/)
    } finally {
      sniffer.close()
    }
  })
}
