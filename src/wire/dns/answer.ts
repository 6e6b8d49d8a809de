/** Reads the answer to a question out of a reply, along the CNAME chain. Source: RFC 1034 section 4.3.2. */
import type { DnsAnswer, DnsRecord, DnsType } from '../../ports.ts'
import { type Reply, sameName, toRecord, withoutDot } from './message.ts'

/** How far the chain has been followed; changes as replies come. */
export interface Chain {
  readonly asked: DnsType
  name: string
  readonly seen: Set<string>
  authenticated: boolean
  ttl: number
}

export type Step =
  | { readonly is: 'answer'; readonly answer: DnsAnswer; readonly ttl: number | undefined }
  /** The chain leads on to a name that the reply says nothing about: `chain.name` is to be asked next. */
  | { readonly is: 'follow' }
  | { readonly is: 'loop' }

/** @param authenticated whether this reply may be trusted to be validated */
export function answerFrom(reply: Reply, chain: Chain, authenticated: boolean): Step {
  chain.authenticated = chain.authenticated && authenticated
  let followed = false
  for (;;) {
    const records = recordsOf(reply, chain)
    if (records.length > 0) {
      for (const record of records) chain.ttl = Math.min(chain.ttl, record.ttl)
      return { is: 'answer', ttl: chain.ttl, answer: answer('found', records, chain) }
    }
    const target = cnameOf(reply, chain)
    if (target === undefined) break
    if (chain.seen.has(target.toLowerCase())) return { is: 'loop' }
    chain.seen.add(target.toLowerCase())
    chain.name = target
    followed = true
  }
  if (reply.rcode === 'NXDOMAIN') {
    return { is: 'answer', ttl: reply.negativeTtl, answer: answer('nxdomain', [], chain) }
  }
  // A reply that ends in a CNAME without SOA leaves the rest to us; with SOA it says that there is no such record.
  if (followed && reply.negativeTtl === undefined) return { is: 'follow' }
  return { is: 'answer', ttl: reply.negativeTtl, answer: answer('nodata', [], chain) }
}

function answer(status: DnsAnswer['status'], records: readonly DnsRecord[], chain: Chain): DnsAnswer {
  return { status, records, authenticated: chain.authenticated, canonicalName: chain.name }
}

function recordsOf(reply: Reply, chain: Chain): DnsRecord[] {
  const records: DnsRecord[] = []
  for (const item of reply.answers) {
    if (!sameName(item.name, chain.name)) continue
    const record = toRecord(item, chain.asked)
    if (record !== undefined) records.push(record)
  }
  return records
}

function cnameOf(reply: Reply, chain: Chain): string | undefined {
  if (chain.asked === 'CNAME') return undefined
  for (const item of reply.answers) {
    if (item.type !== 'CNAME' || !sameName(item.name, chain.name) || typeof item.data !== 'string') continue
    chain.ttl = Math.min(chain.ttl, item.ttl ?? 0)
    return withoutDot(item.data)
  }
  return undefined
}
