/** What callouts have found, kept in the hints. Source: Exim manual, "Callout caching". */
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'

export type Answer = 'accepts' | 'rejects'

/** What is known of a whole domain. Each callout renews `at`; what it did not ask for keeps its own time. */
export interface DomainRecord {
  /** `refuses`: it does not take MAIL FROM:<>, so no callout can succeed. */
  readonly result: 'usable' | 'refuses'
  readonly postmaster?: Answer | undefined
  readonly random?: Answer | undefined
  /** Milliseconds of the time the record was made. */
  readonly at: number
  /** When postmaster and the random local part were asked for; left out: with the record. */
  readonly postmasterAt?: number | undefined
  readonly randomAt?: number | undefined
}

/** What a callout has found out about a domain. */
export interface DomainFindings {
  readonly refuses?: boolean | undefined
  readonly postmaster?: Answer | undefined
  readonly random?: Answer | undefined
}

export interface AddressRecord {
  readonly answer: Answer
  readonly at: number
}

/** Domains and addresses share a database: an address has an @. */
export function readDomain(domain: string, { ports, settings, debug }: Context): DomainRecord | undefined {
  const found = ports.hints.get('callout', domain)
  if (!isDomainRecord(found)) {
    debug?.('verify', `callout cache: no domain record found for ${domain}`)
    return undefined
  }
  const { callout_domain_negative_expire: negative, callout_domain_positive_expire: positive } = settings
  const now = ports.now()
  const bad = found.result === 'refuses' || found.postmaster === 'rejects'
  if (isOver(found.at, bad ? negative : positive, now)) {
    debug?.('verify', `callout cache: domain record expired for ${domain}`)
    return undefined
  }
  debug?.('verify', `callout cache: found domain record for ${domain}`)
  const { postmasterAt = found.at, randomAt = found.at } = found
  return {
    ...found,
    postmaster: isOver(postmasterAt, found.postmaster === 'rejects' ? negative : positive, now)
      ? undefined
      : found.postmaster,
    random: isOver(randomAt, positive, now) ? undefined : found.random,
  }
}

/** @param key the address, and the sender that was used to ask when it was not the empty one */
export function readAddress(key: ByteString, { ports, settings, debug }: Context): Answer | undefined {
  const found = ports.hints.get('callout', key)
  if (!isAddressRecord(found)) {
    debug?.('verify', `callout cache: no address record found for ${key}`)
    return undefined
  }
  const positive = found.answer === 'accepts'
  const seconds = positive ? settings.callout_positive_expire : settings.callout_negative_expire
  if (isOver(found.at, seconds, ports.now())) {
    debug?.('verify', `callout cache: address record expired for ${key}`)
    return undefined
  }
  debug?.('verify', `callout cache: found address record for ${key}`)
  debug?.('verify', `callout cache: address record is ${positive ? 'positive' : 'negative'}`)
  return found.answer
}

/** @param known what is remembered and still good */
export function writeDomain(
  domain: string,
  found: DomainFindings,
  known: DomainRecord | undefined,
  context: Context,
): void {
  const at = context.ports.now()
  const record: DomainRecord = {
    result: found.refuses === true ? 'refuses' : 'usable',
    postmaster: found.postmaster ?? known?.postmaster,
    postmasterAt: found.postmaster === undefined ? (known?.postmasterAt ?? known?.at) : at,
    random: found.random ?? known?.random,
    randomAt: found.random === undefined ? (known?.randomAt ?? known?.at) : at,
    at,
  }
  context.ports.hints.put('callout', domain, record)
  const number = (answer: Answer | undefined): number =>
    answer === undefined ? 0 : answer === 'accepts' ? 1 : 2
  context.debug?.('verify', `wrote callout cache domain record for ${domain}:`)
  context.debug?.(
    'verify',
    `  result=${record.result === 'refuses' ? 3 : 1} postmaster=${number(record.postmaster)} random=${number(record.random)}`,
  )
}

export function writeAddress(key: ByteString, answer: Answer, context: Context): void {
  context.ports.hints.put('callout', key, { answer, at: context.ports.now() } satisfies AddressRecord)
  const what = answer === 'accepts' ? 'positive' : 'negative'
  context.debug?.('verify', `wrote ${what} callout cache address record for ${key}`)
}

function isOver(at: number, seconds: number, now: number): boolean {
  return now - at > seconds * 1000
}

function isDomainRecord(value: unknown): value is DomainRecord {
  return typeof value === 'object' && value !== null && 'result' in value && 'at' in value
}

function isAddressRecord(value: unknown): value is AddressRecord {
  return typeof value === 'object' && value !== null && 'answer' in value && 'at' in value
}
