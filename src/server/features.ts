/**
 * What `-bV` tells on the line `Support for:`, and which `_HAVE_...` macros exist: one row a feature.
 * Source: Exim manual, "Builtin macros"; "-bV".
 */

export interface FeatureRow {
  /** As the line of today's Exim spells it; undefined: it has only a macro. */
  readonly shown?: string
  /** What follows `_HAVE_`. */
  readonly have?: readonly string[]
  /** As builds of 2014 spelt it, for scripts that look for that. */
  readonly shown2014?: string
  /** Postern's version since which it works; absent: known, but not told as supported. */
  readonly since?: string
}

export const features: readonly FeatureRow[] = [
  { shown: 'crypteq', have: ['CRYPTEQ'], since: '0.1' },
  { shown: 'iconv()', have: ['ICONV'], since: '0.1' },
  { shown: 'IPv6', have: ['IPV6'], since: '0.1' },
  { shown: 'OpenSSL', have: ['TLS', 'OPENSSL'], since: '0.1' },
  { shown: 'TLS_resume', have: ['TLS_RESUME'], since: '0.1' },
  { shown: 'Content_Scanning', have: ['CONTENT_SCANNING'], since: '0.1' },
  { have: ['TLS_ALPN'], since: '0.1' },
  { shown: 'DANE', have: ['DANE'], since: '0.1' },
  { shown: 'DKIM', have: ['DKIM'], since: '0.1' },
  { shown: 'DMARC', have: ['DMARC'], shown2014: 'Experimental_DMARC', since: '0.1' },
  { shown: 'DNSSEC', have: ['DNSSEC'], since: '0.1' },
  { shown: 'Event', have: ['EVENT'], shown2014: 'Experimental_TPDA', since: '0.1' },
  { shown: 'I18N', have: ['I18N'], since: '0.1' },
  {
    shown: 'OCSP',
    have: ['OCSP', 'TLS_OCSP', 'TLS_OCSP_LIST'],
    shown2014: 'Experimental_OCSP',
    since: '0.1',
  },
  { shown: 'PIPECONNECT', have: ['PIPE_CONNECT'], since: '0.1' },
  { shown: 'PRDR', have: ['PRDR'], since: '0.1' },
  { shown: 'PROXY', have: ['PROXY'], shown2014: 'Experimental_Proxy', since: '0.1' },
  { shown: 'Queue_Ramp', have: ['QUEUE_RAMP'] },
  { shown: 'SOCKS', have: ['SOCKS'], since: '0.1' },
  { shown: 'SPF', have: ['SPF'], shown2014: 'Experimental_SPF', since: '0.1' },
  { shown: 'SRS', have: ['SRS', 'NATIVE_SRS'], since: '0.1' },
  { have: ['DSN_INFO', 'ESMTP_LIMITS', 'WELLKNOWN', 'XCLIENT'], since: '0.1' },
  // Exim has it under this name still.
  { shown: 'Experimental_ARC', have: ['ARC'], since: '0.1' },
  { shown2014: 'Experimental_Redis', since: '0.1' },
]

/** The words of the line, those of 2014 last. */
export function supportLine(): string {
  const working = features.filter((row) => row.since !== undefined)
  const shown = working.flatMap((row) => (row.shown === undefined ? [] : [row.shown]))
  return [...shown, ...working.flatMap((row) => (row.shown2014 === undefined ? [] : [row.shown2014]))].join(
    ' ',
  )
}

/** Names for `_HAVE_...` macros. */
export function haveNames(): string[] {
  return features.flatMap((row) => (row.since === undefined ? [] : (row.have ?? [])))
}
