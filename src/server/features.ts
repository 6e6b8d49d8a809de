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
  { shown: 'PAM', have: ['PAM'], since: '0.1' },
  { shown: 'Perl', have: ['PERL'], since: '0.1' },
  { shown: 'TLS_resume', have: ['TLS_RESUME'], since: '0.1' },
  { shown: 'move_frozen_messages', have: ['MOVE_FROZEN_MESSAGES'], since: '0.1' },
  {
    shown: 'Content_Scanning',
    have: ['CONTENT_SCANNING', 'MALWARE_CLAMD', 'MALWARE_CMDLINE', 'MALWARE_SOCK'],
    since: '0.1',
  },
  { have: ['TRANSPORT_APPEND_MAILDIR', 'TRANSPORT_APPEND_MAILSTORE'], since: '0.1' },
  { have: ['TLS1_3', 'TLS_ALPN'], since: '0.1' },
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

/**
 * What `_RESUME_DECODE` stands for: words for each value of `$tls_in_resumption` and `$tls_out_resumption`, in a list for
 * `${listextract`. Source: Exim manual, "$tls_in_resumption"; observed of 4.96.
 */
export const resumptionWords = [
  'not requested or offered ',
  ' 0x02 ',
  'client requested, no server ticket',
  ' 0x04 ',
  ' 0x05 ',
  ' 0x06 ',
  'client offered session, no server action',
  ' 0x08 ',
  'no client request',
  ' 0x0A ',
  'client requested new ticket, server provided',
  ' 0x0C ',
  'client offered session, not used',
  ' 0x0E ',
  'client offered session, server only provided new ticket',
  ' 0x10 ',
  'session resumed unasked',
  ' 0x12 ',
  'session resumed unasked',
  ' 0x14 ',
  ' 0x15 ',
  ' 0x16 ',
  'session resumed',
  ' 0x18 ',
  'session resumed unasked',
  ' 0x1A ',
  'session resumed unasked',
  ' 0x1C ',
  'session resumed',
  ' 0x1E ',
  'session resumed, also new ticket',
].join(':')

/** Names for `_HAVE_...` macros. */
export function haveNames(): string[] {
  return features.flatMap((row) => (row.since === undefined ? [] : (row.have ?? [])))
}
