/** Questions to DNS lists, kept for the connection. Source: Exim manual, "Using DNS lists". */
import type { Context } from '../../../ports.ts'
import { addressNumber } from './parse.ts'

export type ListAnswer =
  | { readonly is: 'listed'; readonly addresses: readonly string[]; readonly numbers: readonly number[] }
  | { readonly is: 'not listed' }
  | { readonly is: 'defer' }

interface Kept {
  readonly answer: ListAnswer
  readonly until: number
}

const CACHE = 'dnslists'
const MOST_KEPT = 500
/** How long, in seconds, an answer without records is kept. */
const NEGATIVE_TTL = 3600
const LONGEST_NAME = 253

export async function askList(query: string, context: Context): Promise<ListAnswer> {
  const { debug, ports } = context
  if (query.length > LONGEST_NAME) {
    ports.log.main(undefined, `dnslist query is too long (ignored): ${query.slice(0, 100)}...`)
    return { is: 'not listed' }
  }
  const cache = cacheOf(context)
  const kept = cache.get(query)
  if (kept !== undefined && kept.until > ports.now()) {
    debug?.('acl', `dnslists: using result of previous lookup of ${query}`)
    return kept.answer
  }
  debug?.('acl', `new DNS lookup for ${query}`)
  const found = await ports.dns(query, 'A')
  if (found.status === 'again') return { is: 'defer' }
  const records = found.records.flatMap((record) => (record.type === 'A' ? [record] : []))
  const ttl = records.length === 0 ? NEGATIVE_TTL : Math.min(...records.map((record) => record.ttl))
  const answer = fromRecords(
    records.map((record) => record.value),
    query,
    context,
  )
  if (cache.size < MOST_KEPT) {
    cache.set(query, { answer, until: ports.now() + ttl * 1000 })
    debug?.('acl', `dnslists: wrote cache entry, ttl=${ttl}`)
  }
  return answer
}

/** A list answers with addresses of 127.0.0.0/8; others mean that its domain changed hands. */
function fromRecords(values: readonly string[], query: string, context: Context): ListAnswer {
  const addresses: string[] = []
  const numbers: number[] = []
  for (const value of values) {
    const number = addressNumber(value)
    if (number === undefined || number >>> 24 !== 127) {
      context.ports.log.main(
        undefined,
        `DNS list lookup for ${query}: ${value} is outside 127.0.0.0/8 (ignored)`,
      )
      continue
    }
    addresses.push(value)
    numbers.push(number)
  }
  return addresses.length === 0 ? { is: 'not listed' } : { is: 'listed', addresses, numbers }
}

function cacheOf(context: Context): Map<string, Kept> {
  const extra = context.connection?.extra
  const known = extra?.get(CACHE)
  // Only this file stores under this key.
  if (known instanceof Map) return known as Map<string, Kept>
  const cache = new Map<string, Kept>()
  extra?.set(CACHE, cache)
  return cache
}

/** The text of an entry; empty when there is none. */
export async function textOfEntry(query: string, context: Context): Promise<string> {
  const found = await context.ports.dns(query, 'TXT')
  for (const record of found.records) {
    if (record.type === 'TXT') return record.strings.join('')
  }
  return ''
}
