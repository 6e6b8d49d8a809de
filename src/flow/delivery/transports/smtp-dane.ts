/**
 * TLSA records of a host: whether DANE is in force. Source: Exim manual, "DANE"; RFC 7672 sections 2.1 and 2.2.
 */
import type { ByteString } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { type TlsaRecord, usableRecords } from '../../../wire/tls/dane.ts'
import type { TlsResultType } from '../../../wire/tls/handshake.ts'
import { hostListed, hostListedStrictly } from '../expanding.ts'
import type { Place } from './smtp-hosts.ts'
import type { SmtpSettings } from './smtp.options.ts'

export type DaneState =
  | { readonly is: 'none' }
  | {
      readonly is: 'records'
      readonly records: readonly TlsaRecord[]
      /** One bit a usage: `$tls_out_tlsa_usage`. */
      readonly usage: number
      /** Names that the certificate below a trust anchor may carry. */
      readonly names: readonly ByteString[]
      /** `_25._tcp.mx.example`, for reports. */
      readonly at: string
    }
  /** There are records, and none that can be used: TLS is a must, nobody can say with whom. RFC 7672 section 2.2. */
  | { readonly is: 'unusable' }
  | { readonly is: 'failed'; readonly problem: string; readonly result: TlsResultType }

/** Asks for TLSA records where the host's address itself was secured by DNSSEC. */
export async function daneFor(place: Place, settings: SmtpSettings, context: Context): Promise<DaneState> {
  const host = { address: place.address, name: place.name }
  const required = await hostListedStrictly(settings.hosts_require_dane, host, context)
  if (!place.dnssec) {
    return required
      ? failed(`DANE is required, but the host's address is not secured by DNSSEC`, 'dnssec-invalid')
      : { is: 'none' }
  }
  if (!required && !(await hostListed(settings.hosts_try_dane, host, context))) return { is: 'none' }
  const at = `_${place.port}._tcp.${place.name}`
  const answer = await context.ports.dns(at, 'TLSA', { dnssec: true })
  switch (answer.status) {
    case 'again':
      // Nobody can tell whether somebody hides the records: RFC 7672 section 2.1.
      return failed(`DANE error: the lookup of ${at} failed for now`, 'dnssec-invalid')
    case 'nodata':
    case 'nxdomain':
      return required
        ? failed(`DANE is required, but there is no TLSA record at ${at}`, 'dane-required')
        : { is: 'none' }
    case 'found':
      break
  }
  if (!answer.authenticated) {
    return required
      ? failed(`DANE is required, but the TLSA record at ${at} is not secured by DNSSEC`, 'dnssec-invalid')
      : { is: 'none' }
  }
  const records = answer.records.flatMap((record) => (record.type === 'TLSA' ? [record] : []))
  const usable = usableRecords(records)
  if (usable.length === 0) {
    return required
      ? failed(`DANE is required, but no TLSA record at ${at} can be used`, 'tlsa-invalid')
      : { is: 'unusable' }
  }
  const usage = usable.reduce((bits, record) => bits | (1 << record.usage), 0)
  // RFC 7672 section 3.2.2: the host's name, and the domain that the mail is for.
  const { domain } = context.address ?? { domain: '' }
  const names = [...new Set([place.name, domain].filter((name) => name !== ''))]
  return { is: 'records', records: usable, usage, names, at }
}

function failed(problem: string, result: TlsResultType): DaneState {
  return { is: 'failed', problem, result }
}
