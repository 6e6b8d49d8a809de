/**
 * What checking the DKIM signatures of a message found, for ACLs, variables, headers, log lines and DMARC.
 * Source: RFC 6376 section 3.9; Exim manual, "Verifying DKIM signatures in incoming mail".
 */
import type { ByteString } from '../base/text.ts'
import type { MessageFacts } from '../ports.ts'

const KEY = 'dkim'

/** Exim's words. `invalid`: the signature could not be judged; `none`: there is none of the signer asked for. */
export type DkimStatus = 'none' | 'invalid' | 'fail' | 'pass'

/** Words of RFC 8601 section 2.7.1, for Authentication-Results and reports. */
export type DkimResult = 'none' | 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror'

/** One DKIM-Signature: header. */
export interface DkimSignature {
  /** `d=`, in lower case; empty when the signature has none. */
  readonly domain: ByteString
  /** `d=` as it stands. */
  readonly writtenDomain: ByteString
  /** `s=`. */
  readonly selector: ByteString
  /** `i=` as it stands, decoded; empty when the signature has none. */
  readonly identity: ByteString
  /** Both parts of `a=`: `rsa-sha256`. */
  readonly algorithm: ByteString
  readonly canonHeaders: 'simple' | 'relaxed'
  readonly canonBody: 'simple' | 'relaxed'
  /** `l=`; -1 when the whole body is signed. */
  readonly bodyLength: number
  /** The body has more than `l=` covers. */
  readonly bodyExceeds: boolean
  /** `t=` and `x=` in seconds; 0 when absent. */
  readonly created: number
  readonly expires: number
  /** `h=`: names as they stand, joined by colons. */
  readonly headerNames: ByteString
  /** `z=`. */
  readonly copiedHeaders: ByteString
  /** `b=` without white space: tells signatures apart (RFC 8601 header.b). */
  readonly signature: ByteString
  readonly signatureBits: number
  /**
   * Every From: header of the message is signed. A signature that leaves one out says nothing about who wrote the message:
   * RFC 6376 sections 5.4 and 8.15. DMARC counts no other.
   */
  readonly coversFrom: boolean
  /** Of the public key record; undefined when none was read. */
  readonly key: DkimKeyFacts | undefined
  /** What the check itself said, whatever an ACL makes of it. */
  readonly verified: DkimResult
  /** Why it is no pass, in words for the log and for Authentication-Results; empty for a pass. */
  readonly detail: ByteString
  /** Exim's word for what the check said. */
  readonly found: DkimStatus
  /** `pubkey_unavailable`, `bodyhash_mismatch` and so on; empty when there is no word for it. */
  readonly foundReason: ByteString
  /** What counts: an ACL may change both with `set dkim_verify_status` and `set dkim_verify_reason`. */
  status: ByteString
  reason: ByteString
}

export interface DkimKeyFacts {
  readonly bits: number
  /** `t=y`: the signer is testing. */
  readonly testing: boolean
  /** `t=s`: `i=` must name the very domain. */
  readonly noSubdomains: boolean
  /** `s=`. */
  readonly serviceType: ByteString
  /** `g=` of the older standard. */
  readonly granularity: ByteString
  /** `n=`. */
  readonly notes: ByteString
}

/** One run of the DKIM ACL: what the variables show during it, and after the last one. */
export interface DkimRun {
  readonly signer: ByteString
  /** Undefined: the message has no signature of this signer. */
  readonly signature: DkimSignature | undefined
  status: ByteString
  reason: ByteString
}

/** Of one message. Absent when nothing was checked: local input, `control = dkim_disable_verify`. */
export class DkimFacts {
  /** In the order of `dkim_verify_keytypes` and `dkim_verify_hashes`, then of the headers. */
  readonly signatures: readonly DkimSignature[]
  /** Signatures beyond the limit, which were not looked at. */
  readonly ignored: number
  /** The run of the DKIM ACL under way, or the last one. */
  run: DkimRun | undefined
  /** The ACL is running now. */
  running = false
  /** Signatures that the DKIM ACL ran for: of no other does the log speak. Undefined: there is no such ACL. */
  asked: Set<DkimSignature> | undefined
  /** What each run of the DKIM ACL ended with. */
  readonly statuses: ByteString[] = []

  constructor(signatures: readonly DkimSignature[], ignored: number) {
    this.signatures = signatures
    this.ignored = ignored
  }
}

/** True when an ACL said otherwise than the check. */
export function overridden(signature: DkimSignature): boolean {
  return signature.status !== signature.found || signature.reason !== signature.foundReason
}

/** What counts as the result of a signature, an ACL's word included, as RFC 8601 names it. */
export function dkimResult(signature: DkimSignature): DkimResult {
  const { status, found, verified } = signature
  if (status === found) return verified
  if (status === 'pass' || status === 'none') return status
  // Judged by an ACL: RFC 8601 section 2.7.1, "policy".
  return 'policy'
}

/** The domains and identities that signed, for each signature: `$dkim_signers`. */
export function dkimSigners(facts: DkimFacts): ByteString[] {
  return facts.signatures.flatMap(({ writtenDomain, identity }) =>
    writtenDomain === '' ? [] : identity === '' ? [writtenDomain] : [writtenDomain, identity],
  )
}

/** Keeps what was found with the message. */
export function keepDkim(message: Pick<MessageFacts, 'extra'>, facts: DkimFacts): void {
  message.extra.set(KEY, facts)
}

/** What was found; undefined when nothing was checked. */
export function dkimOf(message: Pick<MessageFacts, 'extra'> | undefined): DkimFacts | undefined {
  const facts = message?.extra.get(KEY)
  return facts instanceof DkimFacts ? facts : undefined
}
