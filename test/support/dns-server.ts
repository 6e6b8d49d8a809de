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
  /** Over UDP only the TC bit; the records over TCP. */
  | { readonly truncated: readonly ScriptedRecord[] }
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

  const answer = (query: Packet, transport: 'udp' | 'tcp'): Buffer[] => {
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
      for (const reply of answer(packet.decode(bytes), 'udp')) send(reply)
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
): Buffer[] {
  if (typeof script === 'string') return plainReplies(query, script)
  if ('length' in script) return [reply(query, { answers: script })]
  if ('truncated' in script) {
    return transport === 'tcp'
      ? [reply(query, { answers: script.truncated })]
      : [reply(query, { answers: [], flags: packet.TRUNCATED_RESPONSE })]
  }
  if ('secure' in script) return [reply(query, { answers: script.secure, flags: packet.AUTHENTIC_DATA })]
  if ('noEdns' in script) {
    const edns = (query.additionals ?? []).some(({ type }) => type === 'OPT')
    return [edns ? reply(query, { rcode: 1 }) : reply(query, { answers: script.noEdns })]
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
  onStream: (bytes: Buffer) => Buffer[],
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

function listenTcp(address: string, port: number, onQuery: (bytes: Buffer) => Buffer[]): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      let received = Buffer.alloc(0)
      socket.on('error', () => socket.destroy())
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
        for (const bytes of onQuery(received.subarray(2, 2 + received.readUInt16BE(0)))) {
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
