/**
 * What checking the DKIM signatures of a message found, for ACLs, variables, headers, log lines and DMARC.
 * Source: RFC 6376 section 3.9; Exim manual, "Verifying DKIM signatures in incoming mail".
 */
import type { ByteString } from '../base/text.ts'
import type { MessageFacts } from '../ports.ts'

const KEY = 'dkim'

/** Exim's words. `invalid`: the signature could not be judged; `none`: there is none of the signer asked for. */
export type DkimStatus = 'none' | 'invalid' | 'fail' | 'pass'

/** Why a signature did not pass: Exim's words, then ours. An ACL may put any text in their place. */
export type DkimReason =
  | 'pubkey_unavailable'
  | 'pubkey_syntax'
  | 'pubkey_too_short'
  | 'bodyhash_mismatch'
  | 'signature_incorrect'
  | 'signature_syntax'
  | 'signature_expired'
  | 'algorithm_not_allowed'
  | 'too_many_signatures'

/** Words of RFC 8601 section 2.7.1, for Authentication-Results and reports. */
export type DkimResult = 'none' | 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror'

/** One DKIM-Signature: header. */
export interface DkimSignature {
  /** `d=`, in lower case; empty when the signature has none. */
  readonly domain: ByteString
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
  /**
   * Every From: header of the message is signed. A signature that leaves one out says nothing about who wrote the message:
   * RFC 6376 sections 5.4 and 8.15. DMARC counts no other.
   */
  readonly coversFrom: boolean
  /** Of the public key record; undefined when none was read. */
  readonly key: DkimKeyFacts | undefined
  /** What the check itself said, whatever an ACL makes of it. */
  readonly verified: DkimResult
  /** What counts: an ACL may change both with `set dkim_verify_status` and `set dkim_verify_reason`. */
  status: DkimStatus
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

/** Of one message. Absent when nothing was checked: local input, `control = dkim_disable_verify`, DKIM turned off. */
export class DkimFacts {
  /** In the order of the headers, the topmost first. */
  readonly signatures: readonly DkimSignature[]
  /** Signatures beyond the limit, which were not looked at. */
  readonly ignored: number

  constructor(signatures: readonly DkimSignature[], ignored: number) {
    this.signatures = signatures
    this.ignored = ignored
  }
}

/** What counts as the result of a signature, an ACL's word included, as RFC 8601 names it. */
export function dkimResult(signature: DkimSignature): DkimResult {
  const { verified } = signature
  const said: DkimStatus =
    verified === 'pass' || verified === 'fail' || verified === 'none' ? verified : 'invalid'
  if (signature.status === said) return verified
  // A signature that verified and that an ACL does not believe: RFC 8601 section 2.7.1, "policy".
  if (verified === 'pass') return 'policy'
  return signature.status === 'invalid' ? 'neutral' : signature.status
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
