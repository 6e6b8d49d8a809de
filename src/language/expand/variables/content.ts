/** Variables of checks on the client and the content; each check sets its own. */
import type { Context } from '../../../ports.ts'
import type { VariableRow } from '../rows.ts'
import { outside, pending, stored, storedOutside, trusted } from './kinds.ts'

const mimeOutside = [
  'boundary',
  'charset',
  'content_description',
  'content_disposition',
  'content_id',
  'content_transfer_encoding',
  'content_type',
  'filename',
].map((name) => storedOutside(`mime_${name}`, `MIME: ${name.replaceAll('_', ' ')} of the part at work.`))

/** Said by Postern itself: the file name of a decoded part may be used as one. */
const mimeOwn = [
  'anomaly_level',
  'anomaly_text',
  'content_size',
  'decoded_filename',
  'is_coverletter',
  'is_multipart',
  'is_rfc822',
  'part_count',
].map((name) => stored(`mime_${name}`, `MIME: ${name.replaceAll('_', ' ')} of the part at work.`))

/** Kept with the message: at delivery they are what the scanner said when it came in. */
const spam = ['action', 'bar', 'report', 'score', 'score_int'].map((name) => {
  const doc = `Spam scan: ${name.replaceAll('_', ' ')}.`
  return outside(`spam_${name}`, doc, ({ context }) => {
    const kept: unknown = context.message?.extra.get('spam')
    const value: unknown =
      typeof kept === 'object' && kept !== null ? Object.entries(kept).find(([key]) => key === name)?.[1] : ''
    return typeof value === 'string' ? value : ''
  })
})

/** Kilobytes, and numbers of files; -1: not known. Source: Exim manual, `$log_space`, `$spool_inodes`. */
const disk = (['log_inodes', 'log_space', 'spool_inodes', 'spool_space'] as const).map((name) =>
  trusted(
    name,
    `Free ${name.endsWith('inodes') ? 'inodes' : 'kilobytes'} for ${name.startsWith('log') ? 'logs' : 'the spool'}; -1: unknown.`,
    ({ context: { server, ports } }) => {
      const folder = name.startsWith('log') ? server.logFolder : server.spoolDirectory
      const space = folder === undefined ? undefined : ports.files.space(folder)
      if (space === undefined) return -1
      return name.endsWith('inodes') ? space.freeInodes : Math.floor(space.freeBytes / 1024)
    },
  ),
)

const certificates: readonly VariableRow[] = (
  [
    ['tls_in_ourcert', 'The certificate we showed to the client.', (c) => c.connection?.tls?.ourCertificate],
    ['tls_in_peercert', 'The certificate the client showed.', (c) => c.connection?.tls?.peerCertificate],
    ['tls_out_ourcert', 'The certificate we showed to the server.', (c) => c.delivery?.tls?.ourCertificate],
    ['tls_out_peercert', 'The certificate the server showed.', (c) => c.delivery?.tls?.peerCertificate],
  ] as const satisfies readonly (readonly [string, string, (context: Context) => Uint8Array | undefined])[]
).map(([name, doc, certificate]) => ({
  // As text it is a sign that it is there.
  ...trusted(name, doc, ({ context }) => (certificate(context) === undefined ? '' : '<cert>')),
  certificate: ({ context }) => certificate(context),
}))

export const contentVariables: readonly VariableRow[] = [
  stored('av_failed', '1 when the virus scanner failed.'),
  stored('atrn_host', 'The host that asked for its mail by ATRN.'),
  stored('atrn_mode', 'Whether ATRN is at work as customer or provider.'),
  storedOutside('csa_status', 'What client SMTP authorization came to.'),
  pending('dcc_header', 'DCC is not supported.'),
  pending('dcc_result', 'DCC is not supported.'),
  storedOutside('dnslist_domain', 'The DNS list that matched.'),
  storedOutside('dnslist_matched', 'What matched in the DNS list.'),
  storedOutside('dnslist_text', 'TXT record of the DNS list that matched.'),
  storedOutside('dnslist_value', 'Address records of the DNS list that matched.'),
  storedOutside('ldap_dn', 'Distinguished name of the last LDAP entry.'),
  pending('local_scan_data', 'local_scan functions are not supported.'),
  stored('mailstore_basename', 'Name of the files a mailstore delivery writes.'),
  storedOutside('malware_name', 'The virus that was found.'),
  ...mimeOutside,
  ...mimeOwn,
  storedOutside('regex_match_string', 'The pattern of the regex condition that matched.'),
  stored('regex_cachesize', 'How many regular expressions are kept.'),
  ...disk,
  trusted(
    'queue_size',
    'How many messages wait; empty where no daemon counts them.',
    ({ context }) => context.server.queueSize?.() ?? '',
  ),
  ...spam,
  ...certificates,
]
