/**
 * DNS messages as values: a query in bytes, a reply checked against its query.
 * Source: RFC 1035 section 4, RFC 6891 (EDNS), RFC 6840 section 5.7 (the AD bit in a query).
 */
import packet, { type Answer, type Packet } from 'dns-packet'
import type { DnsRecord, DnsType } from '../../ports.ts'

/** What goes to a server. */
export interface Query {
  readonly id: number
  readonly name: string
  readonly type: DnsType
  readonly edns: boolean
  /** Set DO: signatures wanted; the AD bit is asked for in any case. */
  readonly dnssecOk: boolean
}

/** A reply that belongs to its query. */
export interface Reply {
  readonly rcode: string
  readonly truncated: boolean
  readonly authenticData: boolean
  readonly authoritative: boolean
  readonly answers: readonly Answer[]
  /** Seconds a negative answer may be kept, from the SOA record: RFC 2308 section 5. */
  readonly negativeTtl: number | undefined
}

/** UDP payload that does not fragment. Source: the DNS flag day of 2020. */
const udpPayloadSize = 1232

/** `CSA` is asked as SRV, `SPF` has a type of its own (99). */
function wireType(type: DnsType): string {
  return type === 'CSA' ? 'SRV' : type
}

export function encodeQuery(query: Query): Buffer {
  const additionals: Answer[] = query.edns
    ? [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: query.dnssecOk ? packet.DNSSEC_OK : 0,
          options: [],
        },
      ]
    : []
  return packet.encode({
    type: 'query',
    id: query.id,
    flags: packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA,
    questions: [{ type: wireType(query.type), name: query.name, class: 'IN' }],
    additionals,
  })
}

/** Undefined when the bytes are no reply to this query: another id, another question, or damaged. */
export function decodeReply(bytes: Uint8Array, query: Query): Reply | undefined {
  let reply: Packet
  try {
    reply = packet.decode(bytes)
  } catch {
    // The library throws on malformed input, which anyone on the way can send.
    return undefined
  }
  if (reply.type !== 'response' || reply.id !== query.id) return undefined
  const question = reply.questions?.[0]
  // Servers that refuse a query's form leave the question out.
  if (question === undefined) {
    if (reply.rcode !== 'FORMERR' && reply.rcode !== 'NOTIMP') return undefined
  } else if (!sameName(question.name, query.name) || question.type !== wireType(query.type)) {
    return undefined
  }
  return {
    rcode: reply.rcode ?? 'SERVFAIL',
    truncated: reply.flag_tc === true,
    authenticData: reply.flag_ad === true,
    authoritative: reply.flag_aa === true,
    answers: reply.answers ?? [],
    negativeTtl: negativeTtl(reply.authorities ?? []),
  }
}

export function sameName(a: string, b: string): boolean {
  return withoutDot(a).toLowerCase() === withoutDot(b).toLowerCase()
}

/** The root stays a dot. */
export function withoutDot(name: string): string {
  return name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name
}

function negativeTtl(authorities: readonly Answer[]): number | undefined {
  for (const record of authorities) {
    const data = record.data
    if (record.type !== 'SOA' || !isObject(data)) continue
    return Math.min(record.ttl ?? 0, numberOf(data['minimum']))
  }
  return undefined
}

/** The record in our form; undefined when it is of another type or lacks what the type needs. */
export function toRecord(answer: Answer, asked: DnsType): DnsRecord | undefined {
  if (answer.type !== wireType(asked)) return undefined
  const { data } = answer
  const head = { name: withoutDot(answer.name), ttl: answer.ttl ?? 0 }
  switch (asked) {
    case 'A':
    case 'AAAA':
      return typeof data === 'string' ? { type: asked, ...head, value: data } : undefined
    case 'PTR':
    case 'CNAME':
    case 'NS':
      return typeof data === 'string' ? { type: asked, ...head, value: withoutDot(data) } : undefined
    case 'MX':
      if (!isObject(data)) return undefined
      return {
        type: asked,
        ...head,
        preference: numberOf(data['preference']),
        exchange: nameOf(data['exchange']),
      }
    case 'TXT':
    case 'SPF':
      return { type: asked, ...head, strings: stringsOf(data) }
    case 'SRV':
    case 'CSA':
      if (!isObject(data)) return undefined
      return {
        type: asked,
        ...head,
        priority: numberOf(data['priority']),
        weight: numberOf(data['weight']),
        port: numberOf(data['port']),
        target: nameOf(data['target']),
      }
    case 'SOA':
      if (!isObject(data)) return undefined
      return {
        type: asked,
        ...head,
        mname: nameOf(data['mname']),
        rname: nameOf(data['rname']),
        serial: numberOf(data['serial']),
        minimum: numberOf(data['minimum']),
      }
    case 'TLSA': {
      if (!isObject(data)) return undefined
      const certificate = data['certificate']
      return {
        type: asked,
        ...head,
        usage: numberOf(data['usage']),
        selector: numberOf(data['selector']),
        matching: numberOf(data['matchingType']),
        data: certificate instanceof Uint8Array ? certificate : new Uint8Array(),
      }
    }
  }
}

function isObject(data: unknown): data is Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** A root target (null MX, RFC 7505) stays `.`. */
function nameOf(value: unknown): string {
  return typeof value === 'string' && value !== '' ? withoutDot(value) : '.'
}

function stringsOf(data: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(data) ? data : [data]
  return list.map((item) =>
    item instanceof Uint8Array ? Buffer.from(item).toString('latin1') : typeof item === 'string' ? item : '',
  )
}
