/** The evaluation of one message for one author domain. Sources: RFC 9989 sections 4.4, 4.10, 5.3; RFC 7489 section 6.6. */
import type { ByteString } from '../../../base/text.ts'
import type {
  AppliedPolicy,
  DkimIdentifier,
  DmarcEvaluation,
  DmarcPolicy,
  Identifier,
} from '../../../mail/dmarc-facts.ts'
import type { SuffixList } from '../../../mail/public-suffix.ts'
import { type Discovered, type Finder, finderFor } from './discover.ts'
import { type AskDns, Questions } from './questions.ts'

/** What the other mechanisms found. */
export interface Authenticated {
  readonly spf: { readonly domain: ByteString; readonly result: string; readonly identity: 'mfrom' | 'helo' }
  /** Every signature that was looked at; one that does not cover From: is not among them as passing. */
  readonly dkim: readonly Omit<DkimIdentifier, 'aligned'>[]
}

export interface EvaluateOptions {
  readonly dns: AskDns
  /** Given: RFC 7489 by this list; else RFC 9989 by tree walk. */
  readonly suffixes?: SuffixList | undefined
  /** An integer from 0 to below the limit, for `pct`. */
  readonly random: (limit: number) => number
  readonly limitMs?: number | undefined
}

export async function evaluate(
  author: ByteString,
  authenticated: Authenticated,
  options: EvaluateOptions,
): Promise<DmarcEvaluation> {
  const mode = options.suffixes === undefined ? 'rfc9989' : 'rfc7489'
  const questions = new Questions(mode, options.dns, options.limitMs)
  try {
    const finder = finderFor(questions, options.suffixes)
    const discovered = await finder.discover(author)
    const head = { mode, author, ...unaligned(authenticated) } as const
    const stop = cannotApply(discovered)
    if (stop !== undefined || discovered.is !== 'record')
      return { ...head, result: 'none', policy: undefined, ...stop }
    const policy = await policyFor(author, discovered, questions, options)
    return { ...head, policy, ...(await align(author, authenticated, policy, finder)) }
  } finally {
    questions.end()
  }
}

function unaligned({
  spf,
  dkim,
}: Authenticated): Pick<DmarcEvaluation, 'spf' | 'dkim' | 'spfAligned' | 'dkimAligned'> {
  return {
    spf: { ...spf, aligned: 'no' },
    dkim: dkim.map((each) => ({ ...each, aligned: 'no' })),
    spfAligned: false,
    dkimAligned: false,
  }
}

function cannotApply(found: Discovered): Pick<DmarcEvaluation, 'result' | 'problem'> | undefined {
  switch (found.is) {
    case 'again':
      return { result: 'temperror', problem: found.problem }
    case 'none':
      return { result: 'none', problem: found.problem }
    case 'record':
      return found.record.unusable === undefined ? undefined : found.record.unusable
  }
}

type Record = Extract<Discovered, { is: 'record' }>

/** Which of p, sp and np counts, and what t or pct make of it: RFC 9989 sections 4.7 and 4.10.1; RFC 7489 section 6.6.4. */
async function policyFor(
  author: ByteString,
  { record, domain, inherited, ofSuffix }: Record,
  questions: Questions,
  { random }: EvaluateOptions,
): Promise<AppliedPolicy> {
  const p = record.p ?? 'none'
  let tag: AppliedPolicy['tag'] = 'p'
  let selected = p
  if (inherited) {
    const existing = record.sp ?? p
    if (record.sp !== undefined) [tag, selected] = ['sp', record.sp]
    // Asked only when the answer makes a difference.
    if (record.np !== undefined && record.np !== existing && !(await questions.exists(author))) {
      ;[tag, selected] = ['np', record.np]
    }
  }
  const sampledOut = selected !== 'none' && record.pct < 100 && random(100) >= record.pct
  const evaluated = record.testing || sampledOut ? milder(selected) : selected
  return { record, domain, ofSuffix, tag, selected, evaluated, sampledOut }
}

function milder(policy: DmarcPolicy): DmarcPolicy {
  return policy === 'reject' ? 'quarantine' : 'none'
}

/** Section 4.4: one aligned identifier that passes is enough. */
async function align(
  author: ByteString,
  { spf, dkim }: Authenticated,
  { record }: AppliedPolicy,
  finder: Finder,
): Promise<Pick<DmarcEvaluation, 'result' | 'spf' | 'dkim' | 'spfAligned' | 'dkimAligned' | 'problem'>> {
  const comparison = new Comparison(author, finder)
  const alignedSpf = { ...spf, aligned: await comparison.of(spf, record.aspf) }
  const alignedDkim: DkimIdentifier[] = []
  for (const each of dkim) alignedDkim.push({ ...each, aligned: await comparison.of(each, record.adkim) })
  const counts = (each: Identifier, mode: 'r' | 's'): boolean =>
    each.aligned === 'strict' || (mode === 'r' && each.aligned === 'relaxed')
  const spfCounts = counts(alignedSpf, record.aspf)
  const spfAligned = spfCounts && spf.result === 'pass'
  const dkimCounting = alignedDkim.filter((each) => counts(each, record.adkim))
  const dkimAligned = dkimCounting.some((each) => each.result === 'pass')
  const head = { spf: alignedSpf, dkim: alignedDkim, spfAligned, dkimAligned }
  if (spfAligned || dkimAligned) return { ...head, result: 'pass' }
  // Section 5.3.6. An error in what could not align anyway changes nothing: no stranger can buy one for another domain.
  const late =
    comparison.again ||
    (spfCounts && spf.result === 'temperror') ||
    dkimCounting.some((each) => each.result === 'temperror')
  return late
    ? { ...head, result: 'temperror', problem: 'DNS error in checking an identifier of the domain' }
    : { ...head, result: 'fail' }
}

/** Compares identifiers with the author's domain; the organisation is looked for only where it can matter. */
class Comparison {
  readonly #author: ByteString
  readonly #finder: Finder
  #organization: ReturnType<Finder['organization']> | undefined
  /** An organisation that was needed could not be found out. */
  again = false

  constructor(author: ByteString, finder: Finder) {
    this.#author = author
    this.#finder = finder
  }

  async of({ domain, result }: Omit<Identifier, 'aligned'>, mode: 'r' | 's'): Promise<Identifier['aligned']> {
    const name = domain.toLowerCase()
    if (name === this.#author) return 'strict'
    // Only what passes, or could have, needs an organisation.
    if (mode === 's' || name === '' || (result !== 'pass' && result !== 'temperror')) return 'no'
    // Names of one organisation have at least the last label in common.
    if (name.split('.').at(-1) !== this.#author.split('.').at(-1)) return 'no'
    this.#organization ??= this.#finder.organization(this.#author)
    const own = await this.#organization
    if (own === 'again') return this.#notNow()
    const organization = own.domain
    if (organization === undefined) return 'no'
    if (name !== organization && !name.endsWith(`.${organization}`)) return 'no'
    const other = await this.#finder.organization(name)
    if (other === 'again') return this.#notNow()
    return other.domain === organization ? 'relaxed' : 'no'
  }

  #notNow(): 'no' {
    this.again = true
    return 'no'
  }
}
