/** Where reports may go: an address outside the organisation must have agreed. Sources: RFC 9990 section 4, RFC 9991 section 5. */
import type { ByteString } from '../../../base/text.ts'
import type { ReportUri } from '../../../mail/dmarc-facts.ts'
import type { SuffixList } from '../../../mail/public-suffix.ts'
import { type Finder, finderFor } from './discover.ts'
import { type AskDns, Questions } from './questions.ts'
import { isDmarcRecord, parseTags, reportUris } from './record.ts'

/** An address, and what stands in its way. */
export type Target =
  | { readonly is: 'verified'; readonly address: ByteString }
  /** `again`: the DNS had no answer; later it may. */
  | { readonly is: 'refused' | 'again'; readonly address: ByteString; readonly why: string }

/** So many addresses of one record get reports; RFC 7489 section 7.1 asks for two at least. */
const MOST_TARGETS = 5
const LONGEST_NAME = 253

export async function targetsOf(
  uris: readonly ReportUri[],
  tag: 'rua' | 'ruf',
  policyDomain: ByteString,
  options: { readonly dns: AskDns; readonly suffixes: SuffixList | undefined },
): Promise<Target[]> {
  const questions = new Questions(options.suffixes === undefined ? 'rfc9989' : 'rfc7489', options.dns)
  try {
    const finder = finderFor(questions, options.suffixes)
    const targets: Target[] = []
    const seen = new Set<string>()
    for (const { address } of uris) {
      // Other schemes than mailto are ignored: RFC 9989 section 4.7.
      if (address === undefined || targets.length >= MOST_TARGETS || seen.has(address)) continue
      seen.add(address)
      const host = hostOf(address)
      const inside = await sameOrganization(policyDomain, host, finder)
      if (inside === 'again') targets.push({ is: 'again', address, why: 'DNS error' })
      else if (inside) targets.push({ is: 'verified', address })
      else targets.push(...(await agreed(address, host, tag, policyDomain, options.dns)))
    }
    return targets
  } finally {
    questions.end()
  }
}

function hostOf(address: ByteString): ByteString {
  const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase()
  return domain.endsWith('.') ? domain.slice(0, -1) : domain
}

async function sameOrganization(a: ByteString, b: ByteString, finder: Finder): Promise<boolean | 'again'> {
  if (a === b) return true
  const [one, other] = [await finder.organization(a), await finder.organization(b)]
  if (one === 'again' || other === 'again') return 'again'
  return one.domain !== undefined && one.domain === other.domain
}

/** Steps 2 to 9 of RFC 9990 section 4. */
async function agreed(
  address: ByteString,
  host: ByteString,
  tag: 'rua' | 'ruf',
  policyDomain: ByteString,
  dns: AskDns,
): Promise<Target[]> {
  const name = `${policyDomain}._report._dmarc.${host}`
  if (name.length > LONGEST_NAME) return [{ is: 'refused', address, why: `${name} is no name of the DNS` }]
  const answer = await dns(name, 'TXT')
  if (answer.status === 'again') return [{ is: 'again', address, why: `DNS error for ${name}` }]
  const records = answer.records
    .flatMap((record) => (record.type === 'TXT' ? [record.strings.join('')] : []))
    .filter(isDmarcRecord)
    .toSorted()
  const [record] = records
  if (record === undefined) {
    return [{ is: 'refused', address, why: `${host} has not agreed to reports about ${policyDomain}` }]
  }
  const others = parseTags(record)?.get(tag)
  if (others === undefined) return [{ is: 'verified', address }]
  // Step 9: another address of the same host may stand in; of another host neither is used.
  const instead = reportUris(others).flatMap((uri) => (uri.address === undefined ? [] : [uri.address]))
  if (instead.length === 0 || instead.some((each) => hostOf(each) !== host)) {
    return [{ is: 'refused', address, why: `${host} names an address of another host` }]
  }
  return instead.slice(0, MOST_TARGETS).map((each) => ({ is: 'verified', address: each }))
}
