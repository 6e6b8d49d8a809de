/**
 * What a DMARC check found: for ACLs, variables, headers, log lines, the history file and reports.
 * Sources: RFC 9989 sections 4 and 9; RFC 7489; requirements D9 to D16.
 */
import type { ByteString } from '../base/text.ts'
import type { MessageFacts } from '../ports.ts'

const KEY = 'dmarc'

export type DmarcPolicy = 'none' | 'quarantine' | 'reject'

/** Where a report is to go: one item of `rua` or `ruf`. */
export interface ReportUri {
  /** As the record has it, without `!size`. */
  readonly uri: ByteString
  readonly scheme: ByteString
  /** Of `mailto:`: the address; of others undefined. */
  readonly address: ByteString | undefined
  /** `!10m` of RFC 7489; RFC 9989 ignores it. */
  readonly maxBytes: number | undefined
}

/** A record, its defaults filled in. */
export interface DmarcRecord {
  /** What was published, undefined when absent or no policy. */
  readonly p: DmarcPolicy | undefined
  readonly sp: DmarcPolicy | undefined
  readonly np: DmarcPolicy | undefined
  readonly adkim: 'r' | 's'
  readonly aspf: 'r' | 's'
  /** `0`, `1`, `d`, `s` in the record's order. */
  readonly fo: readonly string[]
  readonly rua: readonly ReportUri[]
  readonly ruf: readonly ReportUri[]
  readonly psd: 'y' | 'n' | 'u'
  readonly testing: boolean
  readonly pct: number
  /** The record cannot be used; the word is what RFC 9989 section 9.2 calls it. */
  readonly unusable: { readonly result: 'none' | 'permerror'; readonly problem: string } | undefined
}

/** A mechanism's identifier: does it pass, and does it belong to the author's domain. */
export interface Identifier {
  readonly domain: ByteString
  /** The word of the mechanism's own check. */
  readonly result: string
  readonly aligned: 'strict' | 'relaxed' | 'no'
}

export interface DkimIdentifier extends Identifier {
  readonly selector: ByteString
  /** `i=`, for failure reports. */
  readonly identity: ByteString
}

/** The policy that applies to the author's domain, from the record to what is asked for. */
export interface AppliedPolicy {
  readonly record: DmarcRecord
  /** Where the record stands. */
  readonly domain: ByteString
  /** The record is that of a public suffix: no failure reports (RFC 9991 section 2). */
  readonly ofSuffix: boolean
  /** Which tag counts: `p` for the domain's own record. */
  readonly tag: 'p' | 'sp' | 'np'
  /** What that tag asks for. */
  readonly selected: DmarcPolicy
  /** After `t` (RFC 9989) or `pct` (RFC 7489). */
  readonly evaluated: DmarcPolicy
  /** `pct` let this message off. */
  readonly sampledOut: boolean
}

/** The words of RFC 9989 section 9.2. */
export type DmarcResult = 'none' | 'pass' | 'fail' | 'temperror' | 'permerror'

/** What evaluating one message for one author domain came to. */
export interface DmarcEvaluation {
  readonly mode: 'rfc7489' | 'rfc9989'
  readonly author: ByteString
  readonly result: DmarcResult
  /** Undefined when no record applies or it could not be found out. */
  readonly policy: AppliedPolicy | undefined
  readonly spf: Identifier & { readonly identity: 'mfrom' | 'helo' }
  readonly dkim: readonly DkimIdentifier[]
  /** An identifier that passes is aligned. */
  readonly spfAligned: boolean
  readonly dkimAligned: boolean
  /** What went wrong, for debugging and logs. */
  readonly problem?: string | undefined
}

/** The words of `dmarc_status`. */
export type DmarcStatus =
  | 'accept'
  | 'reject'
  | 'quarantine'
  | 'none'
  | 'norecord'
  | 'nofrom'
  | 'temperror'
  | 'off'

export class DmarcFacts {
  readonly status: DmarcStatus
  readonly statusText: ByteString
  /** The domain of the From: header; empty when there is no single one. */
  readonly author: ByteString
  /** Undefined when the message was not evaluated. */
  readonly evaluation: DmarcEvaluation | undefined

  constructor(
    status: DmarcStatus,
    statusText: ByteString,
    author: ByteString,
    evaluation: DmarcEvaluation | undefined,
  ) {
    this.status = status
    this.statusText = statusText
    this.author = author
    this.evaluation = evaluation
  }

  /** The domain whose record was used, or asked for in vain. */
  get usedDomain(): ByteString {
    return this.evaluation?.policy?.domain ?? this.evaluation?.author ?? ''
  }

  /** `p` of the record: empty on any error and without a record. */
  get domainPolicy(): ByteString {
    const policy = this.evaluation?.policy
    return policy === undefined ? '' : (policy.record.p ?? 'none')
  }

  /** The word for Authentication-Results; undefined when nothing was checked. Requirement D12. */
  get resultWord(): string | undefined {
    if (this.status === 'nofrom') return 'temperror'
    return this.evaluation?.result
  }
}

/** Keeps what was found with the message. */
export function keepDmarc(message: Pick<MessageFacts, 'extra'>, facts: DmarcFacts): void {
  message.extra.set(KEY, facts)
}

/** What was found; undefined when no check ran. */
export function dmarcOf(message: Pick<MessageFacts, 'extra'> | undefined): DmarcFacts | undefined {
  const facts = message?.extra.get(KEY)
  return facts instanceof DmarcFacts ? facts : undefined
}
