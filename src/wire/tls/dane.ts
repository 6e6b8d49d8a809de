/**
 * DANE: whether the certificates a server showed are those its TLSA records name.
 * Source: RFC 7671 sections 4 and 5; RFC 7672 sections 2.2, 3.1, 3.2; RFC 6698 section 2.1.
 */
import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import { checkServerIdentity } from 'node:tls'
import { insideDer, derParts } from './ocsp/der.ts'

export interface TlsaRecord {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly data: Uint8Array
}

export type DaneVerdict =
  | { readonly is: 'proved'; readonly usage: 2 | 3; readonly issuer: Buffer | undefined }
  | {
      readonly is: 'failed'
      readonly why: string
      readonly result:
        | 'certificate-host-mismatch'
        | 'certificate-expired'
        | 'validation-failure'
        | 'tlsa-invalid'
    }

/** RFC 7672 section 3.1.3: for mail only DANE-TA(2) and DANE-EE(3) count. Unknown selectors and digests are of no use. */
export function usableRecords(records: readonly TlsaRecord[]): TlsaRecord[] {
  return records.filter(
    ({ usage, selector, matching, data }) =>
      (usage === 2 || usage === 3) &&
      (selector === 0 || selector === 1) &&
      ((matching === 0 && data.length > 0) ||
        (matching === 1 && data.length === 32) ||
        (matching === 2 && data.length === 64)),
  )
}

export interface DaneQuestion {
  readonly records: readonly TlsaRecord[]
  /** The server's own certificate first, then those that came along, in their order. */
  readonly chain: readonly Buffer[]
  /** Names of which one must be in a certificate below a trust anchor. */
  readonly names: readonly string[]
  readonly now: number
}

export function verifyDane({ records, chain, names, now }: DaneQuestion): DaneVerdict {
  const usable = usableRecords(records)
  const [leaf] = chain
  if (usable.length === 0) return failed('no usable TLSA record', 'tlsa-invalid')
  if (leaf === undefined) return failed('no certificate was presented', 'validation-failure')
  // RFC 7672 section 3.1.1: with DANE-EE neither names nor dates of the certificate matter.
  if (usable.some((record) => record.usage === 3 && matches(record, leaf)))
    return { is: 'proved', usage: 3, issuer: chain[1] }
  return underAnchor(
    usable.filter(({ usage }) => usage === 2),
    chain,
    names,
    now,
  )
}

function failed(why: string, result: (DaneVerdict & { is: 'failed' })['result']): DaneVerdict {
  return { is: 'failed', why, result }
}

interface Shown {
  readonly raw: Buffer
  readonly certificate: X509Certificate
}

/** RFC 7671 section 5.2: from the server's certificate, each signed by the next, to one that a record names. */
function underAnchor(
  anchors: readonly TlsaRecord[],
  chain: readonly Buffer[],
  names: readonly string[],
  now: number,
): DaneVerdict {
  const nowhere = 'the certificate does not match the TLSA records'
  if (anchors.length === 0) return failed(nowhere, 'validation-failure')
  const pool: readonly Shown[] = chain.map((raw) => ({ raw, certificate: new X509Certificate(raw) }))
  let current: Shown | undefined = pool[0]
  if (current === undefined) return failed(nowhere, 'validation-failure')
  const leaf = current.certificate
  let issuer: Buffer | undefined
  for (let depth = 0; depth < 10; depth++) {
    const { certificate, raw }: Shown = current
    if (!isNow(certificate, now)) {
      return failed(
        `a certificate expired or is not valid yet: ${certificate.subject}`,
        'certificate-expired',
      )
    }
    if (anchors.some((anchor) => matches(anchor, raw))) {
      if (depth > 0 || certificate.ca) return named(leaf, names, issuer)
    }
    const next: Shown | undefined = pool.find(
      (each) =>
        each.raw !== raw &&
        each.certificate.ca &&
        certificate.checkIssued(each.certificate) &&
        certificate.verify(each.certificate.publicKey),
    )
    if (next === undefined) break
    issuer ??= next.raw
    current = next
  }
  return failed(nowhere, 'validation-failure')
}

function named(leaf: X509Certificate, names: readonly string[], issuer: Buffer | undefined): DaneVerdict {
  // The fields that the check reads are there: it is what Node itself passes on.
  const certificate = leaf.toLegacyObject() as Parameters<typeof checkServerIdentity>[1]
  return names.some((name) => checkServerIdentity(name, certificate) === undefined)
    ? { is: 'proved', usage: 2, issuer }
    : failed('the certificate is for another name', 'certificate-host-mismatch')
}

function isNow(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo)
}

function matches({ selector, matching, data }: TlsaRecord, raw: Buffer): boolean {
  const selected = selector === 0 ? raw : publicKeyInfo(raw)
  if (selected === undefined) return false
  const found =
    matching === 0
      ? selected
      : createHash(matching === 1 ? 'sha256' : 'sha512')
          .update(selected)
          .digest()
  return found.length === data.length && timingSafeEqual(found, data)
}

/** SubjectPublicKeyInfo, byte for byte. */
function publicKeyInfo(raw: Buffer): Buffer | undefined {
  const tbs = insideDer(raw)?.[0]
  const fields = tbs === undefined ? undefined : derParts(tbs.content)
  return fields?.[fields[0]?.tag === 0xa0 ? 6 : 5]?.whole
}
