/**
 * Checks the DKIM signatures of one message: they are read when its headers are there, its body is hashed as it comes, and
 * the keys are fetched at the end. Sources: RFC 6376 section 6; Exim manual, "Verifying DKIM signatures in incoming mail".
 */
import type { ByteString } from '../../../base/text.ts'
import { DkimFacts, type DkimSignature } from '../../../mail/dkim-facts.ts'
import type { Ports } from '../../../ports.ts'
import { Breather } from '../breathe.ts'
import { BodyHashes, type BodyHash } from './body-hash.ts'
import type { HeaderSet } from './headers.ts'
import { judgeBody, judgeEarly, judgeKey, type JudgeOptions, type Verdict } from './judge.ts'
import { findKey, type FoundKey } from './key.ts'
import { isHash, readSignature, type ReadSignature } from './signature.ts'

/** More signatures of one message are not looked at. */
const mostSignatures = 20
/** For all keys of a message together. */
const limitMs = 20_000

export interface VerifyOptions {
  /** `dkim_verify_hashes`, `dkim_verify_keytypes`: others are passed over in silence. */
  readonly hashes: readonly string[]
  readonly keyTypes: readonly string[]
  readonly fewestBits: ReadonlyMap<string, number>
  /** `dkim_verify_minimal`: the first pass is enough. */
  readonly minimal: boolean
}

interface Candidate {
  readonly read: ReadSignature
  readonly early: Verdict | undefined
  readonly body: BodyHash | undefined
}

export class DkimVerifier {
  readonly #headers: HeaderSet
  readonly #options: VerifyOptions
  readonly #now: number
  readonly #candidates: Candidate[] = []
  readonly #ignored: number

  /**
   * @param headers as they came in
   * @param hashes takes the body; shared with whoever else wants it hashed
   * @param now milliseconds since 1970
   */
  constructor(headers: HeaderSet, hashes: BodyHashes, options: VerifyOptions, now: number) {
    this.#headers = headers
    this.#options = options
    this.#now = Math.floor(now / 1000)
    const found = headers.named('dkim-signature')
    this.#ignored = Math.max(0, found.length - mostSignatures)
    for (const { text } of found.slice(0, mostSignatures)) {
      const read = readSignature(text)
      // What names no algorithm is broken, and not passed over.
      const allowed = options.hashes.includes(read.hash) && options.keyTypes.includes(read.keyType)
      if (!allowed && read.hash !== '') continue
      const early = judgeEarly(read, { now: this.#now })
      const body =
        early === undefined && isHash(read.hash)
          ? hashes.want(read.canonBody, read.hash, read.bodyLength)
          : undefined
      this.#candidates.push({ read, early, body })
    }
  }

  /** To be called when the hashes of the body are finished. */
  async finish(ports: Pick<Ports, 'dns'>): Promise<DkimFacts> {
    const options: JudgeOptions = { now: this.#now, fewestBits: this.#options.fewestBits }
    const verdicts = await this.#judge(options, ports)
    const signatures: DkimSignature[] = []
    for (const candidate of this.#inOrder(this.#candidates)) {
      const verdict = verdicts.get(candidate)
      if (verdict !== undefined)
        signatures.push(factsOf(candidate, verdict, this.#coversFrom(candidate.read)))
    }
    return new DkimFacts(signatures, this.#ignored)
  }

  async #judge(options: JudgeOptions, ports: Pick<Ports, 'dns'>): Promise<Map<Candidate, Verdict>> {
    const verdicts = new Map<Candidate, Verdict>()
    const waiting: Candidate[] = []
    for (const candidate of this.#candidates) {
      const verdict =
        candidate.early ??
        (candidate.body === undefined ? undefined : judgeBody(candidate.read, candidate.body))
      if (verdict === undefined) waiting.push(candidate)
      else verdicts.set(candidate, verdict)
    }
    if (waiting.length === 0) return verdicts
    let expire: (value: 'late') => void = () => undefined
    const late = new Promise<'late'>((resolve) => (expire = resolve))
    const timer = setTimeout(() => expire('late'), limitMs)
    try {
      const keys = new Map<string, Promise<FoundKey>>()
      const keyOf = ({ selector, domain }: ReadSignature): Promise<FoundKey> => {
        const name = `${selector} ${domain}`.toLowerCase()
        let key = keys.get(name)
        if (key === undefined) {
          key = findKey(selector, domain, ports, late)
          keys.set(name, key)
        }
        return key
      }
      const breather = new Breather(this.#headers.sizeBytes)
      // All keys are asked for together, unless the first pass may make the others needless.
      if (!this.#options.minimal) for (const { read } of waiting) void keyOf(read)
      for (const candidate of this.#options.minimal ? this.#inOrder(waiting) : waiting) {
        const verdict = judgeKey(candidate.read, await keyOf(candidate.read), this.#headers, options)
        verdicts.set(candidate, verdict)
        await breather.step()
        if (this.#options.minimal && verdict.status === 'pass') break
      }
    } finally {
      clearTimeout(timer)
    }
    return verdicts
  }

  /** The lists of key types and hashes also say what is tried first; what names neither comes last. */
  #inOrder(candidates: readonly Candidate[]): readonly Candidate[] {
    const { hashes, keyTypes } = this.#options
    const place = ({ read }: Candidate): number =>
      read.hash === ''
        ? Number.POSITIVE_INFINITY
        : keyTypes.indexOf(read.keyType) * hashes.length + hashes.indexOf(read.hash)
    return candidates.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)))
  }

  /** As many times in `h=` as there are From: headers: none could be added without breaking it. */
  #coversFrom(read: ReadSignature): boolean {
    const there = this.#headers.count('from')
    return there > 0 && read.lowerNames.filter((name) => name === 'from').length >= there
  }
}

function factsOf({ read, body }: Candidate, verdict: Verdict, coversFrom: boolean): DkimSignature {
  return {
    domain: read.domain.toLowerCase(),
    writtenDomain: read.domain,
    selector: read.selector,
    identity: read.identity,
    algorithm: algorithmOf(read),
    canonHeaders: read.canonHeaders,
    canonBody: read.canonBody,
    bodyLength: read.bodyLength,
    bodyExceeds: read.bodyLength >= 0 && body !== undefined && body.bodyLength > read.bodyLength,
    created: read.created ?? 0,
    expires: read.expires ?? 0,
    headerNames: read.headerNames.join(':'),
    copiedHeaders: read.copiedHeaders,
    signature: read.signatureText,
    signatureBits: (read.signature?.length ?? 0) * 8,
    coversFrom,
    key: verdict.key?.facts,
    verified: verdict.result,
    detail: verdict.detail,
    found: verdict.status,
    foundReason: verdict.reason,
    status: verdict.status,
    reason: verdict.reason,
  }
}

function algorithmOf({ keyType, hash }: ReadSignature): ByteString {
  return hash === '' ? keyType : `${keyType}-${hash}`
}
