/**
 * The MTA-STS policy of a domain: from the hints while it is good, else fetched. Source: RFC 8461 sections 3.3, 5.1.
 */
import type { Context } from '../../../ports.ts'
import { exchangeHttp } from '../../../wire/http-exchange.ts'
import { trustingContext } from '../../../wire/tls/contexts.ts'
import { readStsPolicy, type StsPolicy, stsRecordId } from './policy.ts'

export interface FoundPolicy {
  readonly policy: StsPolicy
  /** Lines of the policy, for reports. */
  readonly lines: readonly string[]
}

export type PolicySearch =
  | { readonly is: 'found'; readonly found: FoundPolicy }
  | { readonly is: 'none' }
  /** There should be one; without it mail goes out as without MTA-STS, and reports tell. */
  | {
      readonly is: 'failed'
      readonly why: string
      readonly result: 'sts-policy-fetch-error' | 'sts-policy-invalid' | 'sts-webpki-invalid'
    }

/** What the hints keep of a domain. */
interface Kept {
  readonly id: string
  readonly text: string
  readonly fetchedAt: number
}
interface Failed {
  readonly failedAt: number
  readonly why: string
  readonly result: (PolicySearch & { is: 'failed' })['result']
}

/** RFC 8461 section 3.3: after a failure a while passes before the next try. */
const pauseMs = 5 * 60_000
const timeoutMs = 60_000
const mostBytes = 64 * 1024

/** Searches under way, so that many messages to a domain fetch once. */
const underWay = new Map<string, Promise<PolicySearch>>()

export async function findStsPolicy(domain: string, trust: string, context: Context): Promise<PolicySearch> {
  const name = domain.toLowerCase().replace(/\.$/, '')
  if (!/^(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{1,63}$/.test(name) || name.length > 240) return { is: 'none' }
  const key = `${trust} ${name}`
  let search = underWay.get(key)
  if (search === undefined) {
    search = find(name, trust, context).finally(() => underWay.delete(key))
    underWay.set(key, search)
  }
  return search
}

async function find(domain: string, trust: string, context: Context): Promise<PolicySearch> {
  const { hints } = context.ports
  const now = (): number => context.ports.now()
  const kept = keptPolicy(hints.get('tls', `sts ${domain}`), now())
  const answer = await context.ports.dns(`_mta-sts.${domain}`, 'TXT')
  const texts = answer.records.flatMap((record) => (record.type === 'TXT' ? [record.strings.join('')] : []))
  const id = stsRecordId(texts)
  // Section 5.1: a policy that is kept counts until its time is over, whatever becomes of the record.
  if (id === undefined) return kept === undefined ? { is: 'none' } : { is: 'found', found: kept }
  if (kept !== undefined && kept.id === id) return { is: 'found', found: kept }
  const failed = hints.get('tls', `sts-failed ${domain}`) as Failed | undefined
  if (failed !== undefined && now() - failed.failedAt < pauseMs)
    return kept === undefined ? { ...failed, is: 'failed' } : { is: 'found', found: kept }
  const fetched = await fetchPolicy(domain, trust, context)
  if (fetched.is === 'failed') {
    hints.put('tls', `sts-failed ${domain}`, { failedAt: now(), why: fetched.why, result: fetched.result })
    return kept === undefined ? fetched : { is: 'found', found: kept }
  }
  hints.put('tls', `sts ${domain}`, { id, text: fetched.text, fetchedAt: now() } satisfies Kept)
  hints.remove('tls', `sts-failed ${domain}`)
  return { is: 'found', found: { policy: fetched.policy, lines: linesOf(fetched.text) } }
}

function keptPolicy(value: unknown, now: number): (FoundPolicy & { readonly id: string }) | undefined {
  // Only this file writes under these keys; a damaged entry does not read as a policy.
  const kept = value as Partial<Kept> | undefined
  if (typeof kept?.text !== 'string' || typeof kept.id !== 'string') return undefined
  const policy = readStsPolicy(kept.text)
  if ('problem' in policy || (kept.fetchedAt ?? 0) + policy.maxAgeSeconds * 1000 < now) return undefined
  return { policy, lines: linesOf(kept.text), id: kept.id }
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '')
}

type Fetched = { readonly is: 'fetched'; readonly policy: StsPolicy; readonly text: string }

async function fetchPolicy(
  domain: string,
  trust: string,
  context: Context,
): Promise<Fetched | (PolicySearch & { is: 'failed' })> {
  const host = `mta-sts.${domain}`
  let secureContext: ReturnType<typeof trustingContext>
  try {
    secureContext = trustingContext(trust)
  } catch (error) {
    return { is: 'failed', why: `${host}: ${String(error)}`, result: 'sts-policy-fetch-error' }
  }
  const answer = await exchangeHttp({
    url: `https://${host}/.well-known/mta-sts.txt`,
    method: 'GET',
    timeoutMs,
    mostBytes,
    secureContext,
    async addresses(name) {
      const found = await context.ports.hostAddresses(name, { ipv4Only: context.settings.disable_ipv6 })
      return found.is === 'found' ? found.addresses : []
    },
    signal: context.signal,
  })
  if (answer.is === 'failed') {
    return {
      is: 'failed',
      why: `${host}: ${answer.why}`,
      result: answer.certificate ? 'sts-webpki-invalid' : 'sts-policy-fetch-error',
    }
  }
  // Section 3.3: only 200 counts, and redirections are not followed.
  if (answer.status !== 200)
    return { is: 'failed', why: `${host}: HTTP status ${answer.status}`, result: 'sts-policy-fetch-error' }
  if (answer.contentType !== 'text/plain')
    return {
      is: 'failed',
      why: `${host}: content type "${answer.contentType}"`,
      result: 'sts-policy-invalid',
    }
  const text = answer.body.toString('latin1')
  const policy = readStsPolicy(text)
  if ('problem' in policy)
    return { is: 'failed', why: `${host}: ${policy.problem}`, result: 'sts-policy-invalid' }
  return { is: 'fetched', policy, text }
}
