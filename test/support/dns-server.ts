/**
 * A name server on loopback whose answers are a table: UDP and TCP on one port, good and bad ones.
 * What is not in the table does not exist.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import packet, { type Answer, type Packet } from 'dns-packet'

/** One record as dns-packet writes it, without the name: `{ type: 'MX', data: { preference: 10, exchange: 'mx.example' } }`. */
export interface ScriptedRecord {
  readonly type: string
  readonly data: unknown
  readonly ttl?: number
  /** Left out: the name asked for. */
  readonly name?: string
}

export type Script =
  | readonly ScriptedRecord[]
  /** What goes wrong. `nodata`: the name exists, with other types. */
  | 'nxdomain'
  | 'nodata'
  | 'servfail'
  | 'refused'
  | 'silence'
  /** Nothing but an NS-less empty answer: what a broken server says. */
  | 'garbage'
  /** FORMERR for whoever speaks EDNS, else the records. */
  | { readonly noEdns: readonly ScriptedRecord[] }
  /** Over UDP only the TC bit; the records over TCP, or nothing, or a connection that closes, or a length that is a lie. */
  | { readonly truncated: readonly ScriptedRecord[] | 'silence' | 'close' | 'lie' }
  /** So many replies with other ids, then the true one, if there is one. */
  | {
      readonly wrongId: readonly ScriptedRecord[]
      readonly times: number
      readonly true?: readonly ScriptedRecord[]
    }
  /** A reply with the right id to a question that nobody asked. */
  | { readonly wrongQuestion: readonly ScriptedRecord[] }
  /** With the AD bit. */
  | { readonly secure: readonly ScriptedRecord[] }
  /** A reply with another id comes first. */
  | { readonly forged: readonly ScriptedRecord[]; readonly true: readonly ScriptedRecord[] }
  /** The first `times` queries are not answered. */
  | { readonly silentTimes: number; readonly answers: readonly ScriptedRecord[] }

/** `name TYPE` (lower case name) to what comes back; a name alone stands for all other types. */
export type Zone = Readonly<Record<string, Script>>

export interface DnsServer {
  readonly address: string
  readonly port: number
  /** `name TYPE` of each query, in order; TCP ones end in ` tcp`. */
  readonly queries: string[]
  zone: Zone
  close(): Promise<void>
}

export async function startDnsServer(
  zone: Zone,
  at: { readonly address?: string; readonly port?: number } = {},
): Promise<DnsServer> {
  const address = at.address ?? '127.0.0.1'
  const queries: string[] = []
  const silent = new Map<string, number>()
  const server = { address, queries, zone, port: 0 }

  const answer = (query: Packet, transport: 'udp' | 'tcp'): Said => {
    const question = query.questions?.[0]
    if (question === undefined) return []
    const key = `${question.name.toLowerCase()} ${question.type}`
    queries.push(transport === 'tcp' ? `${key} tcp` : key)
    const script = server.zone[key] ?? server.zone[question.name.toLowerCase()]
    return replies(query, script ?? absent(server.zone, question.name), transport, key, silent)
  }

  const { udp, tcp } = await listenBoth(
    address,
    at.port,
    (bytes, send) => {
      const said = answer(packet.decode(bytes), 'udp')
      if (typeof said !== 'string') sendPaced(said, send)
    },
    (bytes) => answer(packet.decode(bytes), 'tcp'),
  )
  server.port = udp.address().port
  return Object.assign(server, {
    close: () =>
      new Promise<void>((resolve) => {
        udp.close()
        tcp.close(() => resolve())
      }),
  })
}

/** Replies, or what a TCP connection does in their place. */
type Said = Buffer[] | 'close' | 'lie'

/** In batches: the kernel drops what does not fit its buffer. */
function sendPaced(replies: readonly Buffer[], send: (reply: Buffer) => void): void {
  for (const reply of replies.slice(0, 50)) send(reply)
  if (replies.length > 50) setImmediate(() => sendPaced(replies.slice(50), send))
}

/** A name with other types exists. */
function absent(zone: Zone, name: string): Script {
  const lower = name.toLowerCase()
  return Object.keys(zone).some((key) => key.startsWith(`${lower} `)) ? 'nodata' : 'nxdomain'
}

function replies(
  query: Packet,
  script: Script,
  transport: 'udp' | 'tcp',
  key: string,
  silent: Map<string, number>,
): Said {
  if (typeof script === 'string') return plainReplies(query, script)
  if ('length' in script) return [reply(query, { answers: script })]
  if ('truncated' in script) {
    if (transport === 'udp') return [reply(query, { answers: [], flags: packet.TRUNCATED_RESPONSE })]
    if (script.truncated === 'silence') return []
    if (script.truncated === 'close' || script.truncated === 'lie') return script.truncated
    return [reply(query, { answers: script.truncated })]
  }
  if ('secure' in script) return [reply(query, { answers: script.secure, flags: packet.AUTHENTIC_DATA })]
  if ('noEdns' in script) {
    const edns = (query.additionals ?? []).some(({ type }) => type === 'OPT')
    return [edns ? reply(query, { rcode: 1 }) : reply(query, { answers: script.noEdns })]
  }
  if ('wrongId' in script) {
    const replies: Buffer[] = []
    for (let i = 1; i <= script.times; i++) {
      replies.push(reply({ ...query, id: ((query.id ?? 0) + i) % 65_536 }, { answers: script.wrongId }))
    }
    return script.true === undefined ? replies : [...replies, reply(query, { answers: script.true })]
  }
  if ('wrongQuestion' in script) {
    const questions = [{ type: 'TXT', class: 'IN', name: 'nobody.asked.test' }]
    return [reply({ ...query, questions }, { answers: script.wrongQuestion })]
  }
  if ('forged' in script) {
    const other = { ...query, id: ((query.id ?? 0) + 1) % 65_536 }
    return [reply(other, { answers: script.forged }), reply(query, { answers: script.true })]
  }
  const before = silent.get(key) ?? 0
  silent.set(key, before + 1)
  return before < script.silentTimes ? [] : [reply(query, { answers: script.answers })]
}

function plainReplies(query: Packet, script: string): Buffer[] {
  switch (script) {
    case 'nxdomain':
      return [reply(query, { rcode: 3, soa: true })]
    case 'nodata':
      return [reply(query, { soa: true })]
    case 'servfail':
      return [reply(query, { rcode: 2 })]
    case 'refused':
      return [reply(query, { rcode: 5 })]
    case 'garbage':
      return [Buffer.from([1, 2, 3])]
    default:
      return []
  }
}

interface Parts {
  readonly answers?: readonly ScriptedRecord[]
  readonly rcode?: number
  readonly flags?: number
  readonly soa?: boolean
}

function reply(query: Packet, { answers = [], rcode = 0, flags = 0, soa = false }: Parts): Buffer {
  const asked = query.questions?.[0]?.name ?? '.'
  const soaData = {
    mname: 'ns.test',
    rname: 'root.test',
    serial: 1,
    refresh: 60,
    retry: 60,
    expire: 60,
    minimum: 30,
  }
  const authorities: Answer[] = soa ? [{ type: 'SOA', name: 'test', ttl: 30, data: soaData }] : []
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | flags | rcode,
    questions: query.questions ?? [],
    answers: answers.map(({ name, ttl, ...rest }) => ({
      name: name ?? asked,
      ttl: ttl ?? 60,
      class: 'IN',
      ...rest,
    })),
    authorities,
  })
}

type OnDatagram = (bytes: Buffer, send: (reply: Buffer) => void) => void

/** The port that the system gives for UDP may be taken for TCP: then another one is tried. */
async function listenBoth(
  address: string,
  port: number | undefined,
  onDatagram: OnDatagram,
  onStream: (bytes: Buffer) => Said,
): Promise<{ readonly udp: UdpSocket; readonly tcp: Server }> {
  for (let attempt = 1; ; attempt++) {
    const udp = await listenUdp(address, port ?? 0, onDatagram)
    try {
      return { udp, tcp: await listenTcp(address, udp.address().port, onStream) }
    } catch (error) {
      udp.close()
      if (port !== undefined || attempt === 20) throw error
    }
  }
}

function listenUdp(address: string, port: number, onQuery: OnDatagram): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', reject)
    socket.on('message', (bytes, from) =>
      onQuery(bytes, (reply) => socket.send(reply, from.port, from.address)),
    )
    socket.bind(port, address, () => resolve(socket))
  })
}

function listenTcp(address: string, port: number, onQuery: (bytes: Buffer) => Said): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      let received = Buffer.alloc(0)
      socket.on('error', () => socket.destroy())
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
        const said = onQuery(received.subarray(2, 2 + received.readUInt16BE(0)))
        if (said === 'close') socket.destroy()
        if (said === 'lie') socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]))
        for (const bytes of typeof said === 'string' ? [] : said) {
          const length = Buffer.alloc(2)
          length.writeUInt16BE(bytes.length)
          socket.write(Buffer.concat([length, bytes]))
        }
        received = Buffer.alloc(0)
      })
    })
    server.once('error', reject)
    server.listen(port, address, () => resolve(server))
  })
}
