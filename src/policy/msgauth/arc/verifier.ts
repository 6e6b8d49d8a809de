/** Checks the ARC chain of one message. Source: RFC 8617 section 5.2, in its order. */
import type { Ports } from '../../../ports.ts'
import { ArcFacts } from '../../../mail/arc-facts.ts'
import type { ByteString } from '../../../base/text.ts'
import { Breather } from '../breathe.ts'
import type { BodyHash, BodyHashes } from '../dkim/body-hash.ts'
import { type HeaderSet, relaxedHeader } from '../dkim/headers.ts'
import { judgeBody, judgeKey, type JudgeOptions, signatureHolds } from '../dkim/judge.ts'
import { findKey, type FoundKey } from '../dkim/key.ts'
import { isHash, type ReadSignature, unsignedHeader } from '../dkim/signature.ts'
import { type ArcSet, type Chain, readChain } from './sets.ts'

/** For all keys of a chain together. */
const limitMs = 20_000

export class ArcVerifier {
  readonly #headers: HeaderSet
  readonly #chain: Chain
  readonly #bodies = new Map<ArcSet, BodyHash>()
  readonly #options: JudgeOptions

  /** @param now milliseconds since 1970 */
  constructor(headers: HeaderSet, hashes: BodyHashes, fewestBits: ReadonlyMap<string, number>, now: number) {
    this.#headers = headers
    this.#options = { now: Math.floor(now / 1000), fewestBits }
    this.#chain = readChain(headers)
    if (this.#chain.is !== 'chain') return
    for (const set of this.#chain.sets) {
      const { message } = set
      if (faultOfMessage(message) !== undefined || !isHash(message.hash)) continue
      this.#bodies.set(set, hashes.want(message.canonBody, message.hash, message.bodyLength))
    }
  }

  /** To be called when the hashes of the body are finished. */
  async finish(ports: Pick<Ports, 'dns'>): Promise<ArcFacts> {
    const chain = this.#chain
    switch (chain.is) {
      case 'none':
        return facts('none', '', [], 0, '', 0)
      case 'bad':
        return facts('fail', chain.why, chain.domains, 0, '', chain.instances)
      case 'chain':
        return this.#check(chain.sets, ports)
    }
  }

  async #check(sets: readonly ArcSet[], ports: Pick<Ports, 'dns'>): Promise<ArcFacts> {
    let expire: (value: 'late') => void = () => undefined
    const late = new Promise<'late'>((resolve) => (expire = resolve))
    const timer = setTimeout(() => expire('late'), limitMs)
    const keys = new Map<string, Promise<FoundKey>>()
    const keyOf = (selector: ByteString, domain: ByteString): Promise<FoundKey> => {
      const name = `${selector} ${domain}`.toLowerCase()
      let key = keys.get(name)
      if (key === undefined) {
        key = findKey(selector, domain, ports, late)
        keys.set(name, key)
      }
      return key
    }
    try {
      return await this.#judge(sets, keyOf)
    } finally {
      clearTimeout(timer)
    }
  }

  async #judge(
    sets: readonly ArcSet[],
    keyOf: (selector: ByteString, domain: ByteString) => Promise<FoundKey>,
  ): Promise<ArcFacts> {
    const domains = sets.map(({ seal }) => seal.domain)
    const newest = sets.at(-1)
    if (newest === undefined) return facts('none', '', [], 0, '', 0)
    const { selector } = newest.seal
    const breather = new Breather(this.#headers.sizeBytes)
    const fail = (why: string): ArcFacts => facts('fail', why, domains, 0, selector, sets.length)
    // Step 4: the newest message signature must hold.
    const broken = await this.#messageProblem(newest, keyOf)
    if (broken !== undefined) return fail(`AMS ${newest.instance}: ${broken}`)
    // Step 5: the older ones tell since when the message is unchanged.
    let oldest = newest.instance
    for (const set of sets.slice(0, -1).toReversed()) {
      await breather.step()
      if ((await this.#messageProblem(set, keyOf)) !== undefined) break
      oldest = set.instance
    }
    // Step 6: all seals, the newest first.
    const canonical = sets.map((set) => canonicalSet(set))
    for (const set of sets.toReversed()) {
      await breather.step()
      const key = await keyOf(set.seal.selector, set.seal.domain)
      if (key.is !== 'key')
        return fail(`AS ${set.instance}: public key ${key.is === 'bad' ? 'bad' : 'unavailable'}`)
      if (key.key.type !== set.seal.read.keyType) return fail(`AS ${set.instance}: wrong type of key`)
      if (key.key.facts.bits < (this.#options.fewestBits.get(key.key.type) ?? 0)) {
        return fail(`AS ${set.instance}: key too short`)
      }
      const data = sealedText(set, canonical.slice(0, set.instance))
      if (!signatureHolds(Buffer.from(data, 'latin1'), set.seal.read, key.key)) {
        return fail(`AS ${set.instance}: signature did not verify`)
      }
    }
    return facts('pass', '', domains, oldest, selector, sets.length)
  }

  async #messageProblem(
    set: ArcSet,
    keyOf: (selector: ByteString, domain: ByteString) => Promise<FoundKey>,
  ): Promise<string | undefined> {
    const { message } = set
    const fault = faultOfMessage(message)
    if (fault !== undefined) return fault
    const body = this.#bodies.get(set)
    if (body === undefined) return 'unknown algorithm'
    const ofBody = judgeBody(message, body)
    if (ofBody !== undefined) return ofBody.detail
    const key = await keyOf(message.selector, message.domain)
    const verdict = judgeKey(message, key, this.#headers, this.#options)
    return verdict.status === 'pass' ? undefined : verdict.detail
  }
}

function faultOfMessage(message: ReadSignature): string | undefined {
  if (message.fault !== undefined) return message.fault
  // RFC 8617 section 4.1.2: seals are not covered by it.
  if (message.lowerNames.includes('arc-seal')) return 'ARC-Seal in h='
  if (!message.lowerNames.includes('from')) return 'From: header not signed'
  // RFC 8617 section 4.1.2 has the algorithms of RFC 8301 and 8463.
  if (message.hash !== 'sha256') return 'unknown algorithm'
  return undefined
}

interface CanonicalSet {
  readonly resultsAndMessage: ByteString
  readonly seal: ByteString
}

function canonicalSet({ results, message, seal }: ArcSet): CanonicalSet {
  return {
    resultsAndMessage: `${relaxedHeader(results)}\r\n${relaxedHeader(message.text)}\r\n`,
    seal: `${relaxedHeader(seal.text)}\r\n`,
  }
}

/** What a seal signs: all sets up to its own in order, relaxed, its own signature empty. RFC 8617 section 5.1.1. */
function sealedText({ seal }: ArcSet, sets: readonly CanonicalSet[]): ByteString {
  const last = sets.length - 1
  return sets
    .map(
      ({ resultsAndMessage, seal: own }, i) =>
        resultsAndMessage + (i === last ? unsignedHeader(seal.read) : own),
    )
    .join('')
}

function facts(
  state: ArcFacts['state'],
  reason: string,
  domains: readonly ByteString[],
  oldestPass: number,
  selector: ByteString,
  instances: number,
): ArcFacts {
  return new ArcFacts({ state, reason, domains, oldestPass, selector, instances })
}
