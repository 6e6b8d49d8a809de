/** Judges one signature once the body is hashed. Sources: RFC 6376 sections 3.7 and 6.1; RFC 8301; RFC 8463 section 3. */
import { createHash, verify } from 'node:crypto'
import type { ByteString } from '../../../base/text.ts'
import type { DkimResult, DkimStatus } from '../../../mail/dkim-facts.ts'
import type { BodyHash } from './body-hash.ts'
import type { HeaderSet } from './headers.ts'
import type { FoundKey, SigningKey } from './key.ts'
import { isHash, type ReadSignature, unsignedHeader } from './signature.ts'

export interface Verdict {
  readonly status: Exclude<DkimStatus, 'none'>
  readonly reason: ByteString
  readonly result: DkimResult
  /** For people; Exim's words where it has some. */
  readonly detail: ByteString
  readonly key: SigningKey | undefined
}

export interface JudgeOptions {
  /** Seconds since 1970. */
  readonly now: number
  /** Fewest bits by key type: `dkim_verify_min_keysizes`. */
  readonly fewestBits: ReadonlyMap<string, number>
}

function invalid(detail: ByteString, result: DkimResult = 'neutral', reason: ByteString = ''): Verdict {
  return { status: 'invalid', reason, result, detail, key: undefined }
}

/** What can be said before the body has come; undefined: all is well so far. */
export function judgeEarly(read: ReadSignature, options: Pick<JudgeOptions, 'now'>): Verdict | undefined {
  if (read.fault !== undefined) return invalid(read.fault)
  // RFC 6376 section 6.1.1: a signature that does not cover From: is none. Exim takes it.
  if (!read.lowerNames.includes('from')) return invalid('From: header not signed', 'permerror')
  if (read.expires !== undefined && read.expires < options.now)
    return invalid('signature expired', 'permerror')
  return undefined
}

/** What the body says; undefined: its hash is right. */
export function judgeBody(read: ReadSignature, body: BodyHash): Verdict | undefined {
  if (body.digest === undefined) return invalid('body shorter than l= says')
  if (read.bodyHash?.equals(body.digest) === true) return undefined
  return {
    status: 'fail',
    reason: 'bodyhash_mismatch',
    result: 'fail',
    detail: 'body hash mismatch (body probably modified in transit)',
    key: undefined,
  }
}

/** The last step: the key and the signature itself. */
export function judgeKey(
  read: ReadSignature,
  found: FoundKey,
  headers: HeaderSet,
  options: JudgeOptions,
): Verdict {
  switch (found.is) {
    case 'again':
      return invalid('public key record (currently?) unavailable', 'temperror', 'pubkey_unavailable')
    case 'none':
      return invalid('public key record (currently?) unavailable', 'permerror', 'pubkey_unavailable')
    case 'bad':
      return invalid('syntax error in public key record', 'permerror', 'pubkey_syntax')
    case 'key':
      return judgeSignature(read, found.key, headers, options)
  }
}

function judgeSignature(
  read: ReadSignature,
  key: SigningKey,
  headers: HeaderSet,
  { fewestBits }: JudgeOptions,
): Verdict {
  if (key.type !== read.keyType) {
    return { ...invalid('syntax error in public key record', 'permerror', 'pubkey_syntax'), key }
  }
  if (key.hashes?.includes(read.hash) === false) {
    return { status: 'fail', reason: '', result: 'fail', detail: 'hash not allowed by the key record', key }
  }
  // t=s: i= names the very domain. RFC 6376 section 3.6.1.
  if (key.facts.noSubdomains && read.identity !== '') {
    const of = read.identity.slice(read.identity.lastIndexOf('@') + 1)
    if (of.toLowerCase() !== read.domain.toLowerCase()) {
      return { ...invalid('subdomain not allowed by the key record', 'permerror'), key }
    }
  }
  if (key.facts.bits < (fewestBits.get(key.type) ?? 0)) {
    return {
      status: 'fail',
      reason: 'pubkey_too_short',
      result: 'fail',
      detail: 'signature invalid (key too short)',
      key,
    }
  }
  const signed = headers.select(read.lowerNames, read.canonHeaders) + unsignedHeader(read)
  if (signatureHolds(Buffer.from(signed, 'latin1'), read, key)) {
    return { status: 'pass', reason: '', result: 'pass', detail: '', key }
  }
  return {
    status: 'fail',
    reason: 'signature_incorrect',
    result: 'fail',
    detail: 'signature did not verify (headers probably modified in transit)',
    key,
  }
}

/** @param data the canonical headers: RFC 6376 section 3.7; Ed25519 signs their hash, RFC 8463 section 3 */
export function signatureHolds(
  data: Uint8Array,
  read: Pick<ReadSignature, 'hash' | 'signature'>,
  { key, type }: Pick<SigningKey, 'key' | 'type'>,
): boolean {
  const { hash, signature } = read
  if (signature === undefined || !isHash(hash)) return false
  try {
    return type === 'rsa'
      ? verify(hash, data, key, signature)
      : verify(null, createHash(hash).update(data).digest(), key, signature)
  } catch {
    // A system whose policy forbids the hash.
    return false
  }
}
