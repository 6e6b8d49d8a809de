/** The ARC sets of a message, put together by instance. Source: RFC 8617 sections 4.1, 4.2 and 5.2. */
import type { ByteString } from '../../../base/text.ts'
import type { HeaderSet } from '../dkim/headers.ts'
import { readSignature, type ReadSignature } from '../dkim/signature.ts'
import { base64Bytes, parseTags, withoutSpace } from '../dkim/tags.ts'

/** RFC 8617 section 4.2.1. */
export const mostInstances = 50

/** AMS: a DKIM signature without version whose `i=` is the instance. */
const messageKind = { versioned: false, identified: false } as const

export interface Seal {
  readonly text: ByteString
  readonly cv: 'none' | 'pass' | 'fail'
  readonly domain: ByteString
  readonly selector: ByteString
  /** The signature itself, as the judge of DKIM reads it. */
  readonly read: ReadSignature
}

export interface ArcSet {
  readonly instance: number
  /** ARC-Authentication-Results: */
  readonly results: ByteString
  /** ARC-Message-Signature: */
  readonly message: ReadSignature
  /** ARC-Seal: */
  readonly seal: Seal
}

export type Chain =
  | { readonly is: 'none' }
  | {
      readonly is: 'bad'
      readonly why: string
      readonly instances: number
      readonly domains: readonly ByteString[]
      /** A seal says so: no more sets are to be added. */
      readonly failed: boolean
    }
  /** The oldest first. */
  | { readonly is: 'chain'; readonly sets: readonly ArcSet[] }

/** Steps 1 to 3 of RFC 8617 section 5.2. */
export function readChain(headers: HeaderSet): Chain {
  const kinds = ['arc-authentication-results', 'arc-message-signature', 'arc-seal'] as const
  const found = kinds.map((name) => headers.named(name).map(({ text }) => text))
  const total = Math.max(...found.map((texts) => texts.length))
  if (total === 0) return { is: 'none' }
  const bad = (why: string, domains: readonly ByteString[] = [], failed = false): Chain => ({
    is: 'bad',
    why,
    instances: Math.min(total, mostInstances),
    domains,
    failed,
  })
  if (total > mostInstances) return bad(`more than ${mostInstances} ARC sets`)
  const byInstance = found.map((texts) => byNumber(texts))
  const [results, messages, seals] = byInstance
  if (results === undefined || messages === undefined || seals === undefined) {
    return bad('an instance is missing, out of range or there twice')
  }
  const sets: ArcSet[] = []
  for (let instance = 1; instance <= total; instance++) {
    const [result, message, seal] = [results.get(instance), messages.get(instance), seals.get(instance)]
    if (result === undefined || message === undefined || seal === undefined) {
      return bad(`set ${instance} is not complete`)
    }
    const read = readSeal(seal)
    if (typeof read === 'string') return bad(`seal ${instance}: ${read}`)
    const signature = readSignature(message, messageKind)
    sets.push({ instance, results: result, message: signature, seal: read })
  }
  const domains = sets.map(({ seal }) => seal.domain)
  for (const { instance, seal } of sets) {
    if (seal.cv === 'fail') return bad(`seal ${instance} says fail`, domains, true)
    if ((seal.cv === 'none') !== (instance === 1)) return bad(`seal ${instance} says ${seal.cv}`, domains)
  }
  return { is: 'chain', sets }
}

/** Undefined when a header has no instance from 1 to 50, or two have the same. */
function byNumber(texts: readonly ByteString[]): ReadonlyMap<number, ByteString> | undefined {
  const map = new Map<number, ByteString>()
  for (const text of texts) {
    const instance = instanceOf(text)
    if (instance === undefined || map.has(instance)) return undefined
    map.set(instance, text)
  }
  return map
}

/** `i=` of any of the three headers; it is the first tag of the results, and any of the others. */
export function instanceOf(text: ByteString): number | undefined {
  const body = text.slice(text.indexOf(':') + 1)
  const digits = text.toLowerCase().startsWith('arc-authentication-results')
    ? /^[ \t\n]*i[ \t\n]*=[ \t\n]*(\d{1,2})[ \t\n]*;/.exec(body)?.[1]
    : /^\d{1,2}$/.exec(parseTags(body).tags.get('i')?.value ?? '')?.[0]
  const instance = Number(digits)
  return instance >= 1 && instance <= mostInstances ? instance : undefined
}

/** A text says what is wrong. */
function readSeal(text: ByteString): Seal | string {
  const colon = text.indexOf(':')
  const { tags, fault } = parseTags(text.slice(colon + 1))
  if (fault !== undefined) return fault
  // RFC 8617 section 4.1.3: a seal covers what it covers.
  if (tags.has('h')) return 'tag h is not allowed'
  if (tags.has('bh')) return 'tag bh is not allowed'
  const cv = tags.get('cv')?.value.toLowerCase()
  if (cv !== 'none' && cv !== 'pass' && cv !== 'fail') return 'tag cv is missing or unknown'
  const b = tags.get('b')
  if (base64Bytes(b?.value ?? '') === undefined) return 'tag b is missing or no base64'
  const time = tags.get('t')?.value
  if (time !== undefined && !/^\d{1,12}$/.test(time)) return 'tag t is no time'
  // The reader of DKIM signatures finds the same tags where they are; what it misses here is not asked for.
  const read = readSignature(text, messageKind)
  const domain = withoutSpace(tags.get('d')?.value ?? '')
  const selector = withoutSpace(tags.get('s')?.value ?? '')
  if (domain === '' || selector === '') return 'a tag is missing'
  if (read.hash !== 'sha256') return 'unknown algorithm'
  return { text, cv, domain, selector, read: { ...read, canonHeaders: 'relaxed' } }
}
