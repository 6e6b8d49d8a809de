/**
 * What aggregate reports are made of: one row for each day, domain, policy and kind of result, with its count, among the hints.
 * Keys: `row DAY DOMAIN DIGEST`, `rows DAY DOMAIN` how many there are. Source: RFC 9990 section 3.1.
 */
import { createHash } from 'node:crypto'
import type { ByteString } from '../../../base/text.ts'
import type { AppliedPolicy, DkimIdentifier, DmarcEvaluation } from '../../../mail/dmarc-facts.ts'
import type { Hints } from '../../../ports.ts'

/** What the domain publishes: `policy_published`, and where its reports go. */
export interface Published {
  readonly domain: ByteString
  readonly discovery: 'psl' | 'treewalk'
  readonly p: string
  readonly sp: string | undefined
  readonly np: string | undefined
  readonly fo: string
  readonly adkim: string
  readonly aspf: string
  readonly testing: boolean
  /** As the record has them: URIs of `rua`. */
  readonly rua: readonly ByteString[]
}

export interface Reason {
  readonly type: 'local_policy' | 'mailing_list' | 'other' | 'policy_test_mode' | 'trusted_forwarder'
  readonly comment: ByteString
}

/** `record` of a report, without its count. */
export interface ReportRow {
  readonly sourceIp: string
  readonly disposition: 'none' | 'pass' | 'quarantine' | 'reject'
  readonly dkimAligned: boolean
  readonly spfAligned: boolean
  readonly reason: Reason | undefined
  readonly headerFrom: ByteString
  readonly envelopeFrom: ByteString
  readonly dkim: readonly {
    readonly domain: ByteString
    readonly selector: ByteString
    readonly result: string
  }[]
  readonly spf: { readonly domain: ByteString; readonly result: string } | undefined
}

export interface StoredRow {
  readonly day: string
  readonly published: Published
  readonly row: ReportRow
  readonly count: number
}

/** Rows of one domain and day: a flood of forged names must not fill the disk. */
const MOST_ROWS = 10_000
/** RFC 9990 section 3.1.1.11. */
const MOST_SIGNATURES = 100

export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10)
}

export async function addRow(
  hints: Hints,
  day: string,
  published: Published,
  row: ReportRow,
  count: number = 1,
): Promise<void> {
  const text = JSON.stringify([published, row])
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 32)
  const counter = `rows ${day} ${published.domain}`
  const rows = hints.get('dmarc', counter)
  const full = typeof rows === 'number' && rows >= MOST_ROWS
  let fresh = false
  await hints.update<StoredRow>('dmarc', `row ${day} ${published.domain} ${digest}`, (old) => {
    if (old !== undefined) return { ...old, count: old.count + count }
    fresh = true
    return full ? undefined : { day, published, row, count }
  })
  if (fresh && !full) await hints.update<number>('dmarc', counter, (old) => (old ?? 0) + 1)
}

/** All rows, by day and domain. */
export function* storedRows(hints: Hints): Iterable<{ readonly key: string; readonly stored: StoredRow }> {
  for (const { key, value } of hints.entries('dmarc', { start: 'row ', end: 'row!' })) {
    // Only `addRow` writes under these keys.
    yield { key, stored: value as StoredRow }
  }
}

export function publishedOf(policy: AppliedPolicy, evaluation: DmarcEvaluation): Published {
  const { record } = policy
  return {
    domain: policy.domain,
    discovery: evaluation.mode === 'rfc9989' ? 'treewalk' : 'psl',
    p: record.p ?? 'none',
    sp: record.sp,
    np: record.np,
    fo: record.fo.join(':'),
    adkim: record.adkim,
    aspf: record.aspf,
    testing: record.testing,
    rua: record.rua.map(({ uri }) => uri),
  }
}

/** @param refused the message was not taken, for whatever reason */
export function rowOf(
  evaluation: DmarcEvaluation,
  policy: AppliedPolicy,
  message: { readonly sourceIp: string; readonly envelopeFrom: ByteString; readonly refused: boolean },
): ReportRow {
  const { disposition, reason } = dispositionOf(evaluation, policy, message.refused)
  const { spf } = evaluation
  return {
    sourceIp: message.sourceIp,
    disposition,
    dkimAligned: evaluation.dkimAligned,
    spfAligned: evaluation.spfAligned,
    reason,
    headerFrom: evaluation.author,
    envelopeFrom: message.envelopeFrom,
    dkim: evaluation.dkim
      .toSorted((a, b) => rank(a) - rank(b))
      .slice(0, MOST_SIGNATURES)
      .map(({ domain, selector, result }) => ({ domain, selector, result })),
    spf:
      spf.result === '(invalid)' || spf.domain === ''
        ? undefined
        : { domain: spf.domain, result: spf.result },
  }
}

/** Passing and strictly aligned ones first: RFC 9990 section 3.1.3. */
function rank({ result, aligned }: DkimIdentifier): number {
  if (result !== 'pass') return 3
  return aligned === 'strict' ? 0 : aligned === 'relaxed' ? 1 : 2
}

/** A failure that was not handled as the policy asks gets its reason: RFC 9990 section 3.1.6. */
function dispositionOf(
  { result }: DmarcEvaluation,
  policy: AppliedPolicy,
  refused: boolean,
): Pick<ReportRow, 'disposition' | 'reason'> {
  if (result === 'pass')
    return { disposition: policy.selected === 'none' ? 'none' : 'pass', reason: undefined }
  const { evaluated, selected, record, sampledOut } = policy
  const disposition = refused ? 'reject' : evaluated === 'reject' ? 'none' : evaluated
  if (result !== 'fail')
    return { disposition: refused ? 'reject' : 'none', reason: { type: 'other', comment: 'DNS error' } }
  if (disposition === selected) return { disposition, reason: undefined }
  if (disposition === evaluated && record.testing)
    return { disposition, reason: { type: 'policy_test_mode', comment: 't=y' } }
  if (disposition === evaluated && sampledOut)
    return { disposition, reason: { type: 'other', comment: `pct=${record.pct}` } }
  return { disposition, reason: { type: 'local_policy', comment: refused ? 'refused' : 'accepted' } }
}
