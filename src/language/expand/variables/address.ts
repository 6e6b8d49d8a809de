/** Variables about the address at work, its routing and delivery. */
import { taint } from '../../../base/text.ts'
import type { VariableRow } from '../rows.ts'
import { outside, renamed, stored, storedOutside, trusted } from './kinds.ts'

const localPart = outside(
  'local_part',
  'Local part of the address at work.',
  ({ context }) => context.address?.localPart,
)
const domain = outside('domain', 'Domain of the address at work.', ({ context }) => context.address?.domain)
const host = trusted(
  'host',
  'Name of the host at the other end of a delivery.',
  ({ context: { delivery } }) => {
    // What a router gave a local transport is as good as its configuration; other names come from outside.
    if (delivery?.hostList !== undefined) return delivery.hostList
    return delivery?.host === undefined ? undefined : taint(delivery.host, '$host')
  },
)
const hostAddress = trusted(
  'host_address',
  'Address of the host at the other end of a delivery.',
  ({ context }) => context.delivery?.hostAddress,
)
const hostPort = trusted(
  'host_port',
  'Port of the host at the other end of a delivery.',
  ({ context }) => context.delivery?.hostPort,
)
const eventData = storedOutside('event_data', 'What goes with the event.')
const eventErrno = stored('event_defer_errno', 'Error number of a deferral.')
const eventName = stored('event_name', 'Name of the event.')
const warnDelay = stored('warn_message_delay', 'How long the message has been delayed, for warnings.')
const warnRecipient = storedOutside('warn_message_recipient', 'Whom a warning about delay goes to.')
const warnRecipients = storedOutside('warn_message_recipients', 'Whom a warning about delay goes to.')

const tls = ({ context }: Parameters<NonNullable<VariableRow['get']>>[0]) => context.delivery?.tls

export const addressVariables: readonly VariableRow[] = [
  trusted(
    'address_data',
    'What a router kept for the address.',
    ({ context }) => context.address?.addressData,
  ),
  // Routing lets no file or command through that came from outside.
  trusted('address_file', 'The file a redirection named.', ({ context }) => context.address?.addressFile),
  trusted('address_pipe', 'The command a redirection named.', ({ context }) => context.address?.addressPipe),
  stored('callout_address', 'Whom a callout asks.'),
  domain,
  trusted(
    'domain_data',
    'What the matching item of a domains condition gave.',
    ({ context }) => context.address?.domainData ?? context.variables.get('domain_data'),
  ),
  eventData,
  eventErrno,
  eventName,
  trusted('home', 'The home directory of the address.', ({ context }) => context.address?.home),
  host,
  hostAddress,
  stored('host_data', 'What the matching item of a hosts condition gave.'),
  hostPort,
  trusted('inode', 'Number of the file a maildir delivery writes.', ({ context }) => context.delivery?.inode),
  localPart,
  trusted(
    'local_part_data',
    'What the matching item of a local_parts condition gave.',
    ({ context }) => context.address?.localPartData ?? context.variables.get('local_part_data'),
  ),
  trusted(
    'local_part_prefix',
    'The prefix that was taken off the local part.',
    ({ context }) => context.address?.prefix,
  ),
  outside(
    'local_part_prefix_v',
    'What the * of a prefix matched.',
    ({ context }) => context.address?.prefixV,
  ),
  trusted(
    'local_part_suffix',
    'The suffix that was taken off the local part.',
    ({ context }) => context.address?.suffix,
  ),
  outside(
    'local_part_suffix_v',
    'What the * of a suffix matched.',
    ({ context }) => context.address?.suffixV,
  ),
  trusted('local_user_gid', 'Group of the local user.', ({ context }) => context.address?.gid),
  trusted('local_user_uid', 'Number of the local user.', ({ context }) => context.address?.uid),
  outside(
    'original_domain',
    'Domain before any redirection.',
    ({ context }) => context.address?.originalDomain,
  ),
  outside(
    'original_local_part',
    'Local part before any redirection.',
    ({ context }) => context.address?.originalLocalPart,
  ),
  outside(
    'parent_domain',
    'Domain of the address that was redirected to this one.',
    ({ context }) => context.address?.parentDomain,
  ),
  outside(
    'parent_local_part',
    'Local part of the address that was redirected to this one.',
    ({ context }) => context.address?.parentLocalPart,
  ),
  outside('pipe_addresses', 'All addresses of a batch, for pipe commands.', ({ context }) =>
    context.delivery?.addresses?.join(' '),
  ),
  stored('recipient_data', 'What the matching item of a recipients condition gave.'),
  stored('recipient_verify_failure', 'Where verifying the recipient failed.'),
  outside(
    'return_path',
    'The sender that deliveries name.',
    ({ context }) => context.delivery?.returnPath ?? context.message?.sender,
  ),
  trusted('router_name', 'Name of the router at work.', ({ context }) => context.delivery?.routerName),
  outside(
    'self_hostname',
    'The host name that turned out to be this host.',
    ({ context }) => context.address?.selfHostname,
  ),
  trusted(
    'sending_ip_address',
    'Our address of the connection out.',
    ({ context }) => context.delivery?.sendingAddress,
  ),
  trusted('sending_port', 'Our port of the connection out.', ({ context }) => context.delivery?.sendingPort),
  storedOutside('srs_recipient', 'The address SRS decoding gave.'),
  storedOutside('thisaddress', 'The address at work in a foranyaddress of a filter.'),
  trusted('tls_out_bits', 'Strength of the cipher of the connection out.', (e) => tls(e)?.bits ?? 0),
  trusted('tls_out_certificate_verified', 'Whether the certificate of the server was verified.', (e) =>
    tls(e)?.certificateVerified === true ? 1 : 0,
  ),
  trusted('tls_out_cipher', 'Cipher of the connection out.', (e) => tls(e)?.cipher),
  trusted(
    'tls_out_cipher_std',
    'Standard name of the cipher of the connection out.',
    (e) => tls(e)?.cipherStd,
  ),
  trusted('tls_out_dane', 'Whether DANE proved the server of the connection out: yes or no.', (e) =>
    tls(e)?.dane === true ? 'yes' : 'no',
  ),
  trusted('tls_out_ocsp', 'State of OCSP on the connection out: 0 to 4.', (e) => tls(e)?.ocsp ?? 0),
  outside('tls_out_peerdn', 'Distinguished name of the server.', (e) => tls(e)?.peerDn),
  trusted('tls_out_resumption', 'Bits that tell of TLS resumption out.', (e) => tls(e)?.resumption ?? 0),
  trusted(
    'tls_out_tlsa_usage',
    'Usages of the TLSA records of the server, one bit each; 0: no DANE.',
    (e) => tls(e)?.tlsaUsage ?? 0,
  ),
  outside('tls_out_sni', 'Server name we asked for.', (e) => tls(e)?.sni),
  trusted('tls_out_ver', 'Version of TLS of the connection out.', (e) => tls(e)?.version),
  trusted(
    'transport_name',
    'Name of the transport at work.',
    ({ context }) => context.delivery?.transportName,
  ),
  trusted(
    'verify_mode',
    'S or R while a sender or recipient is verified.',
    ({ context }) => context.verifyMode,
  ),
  renamed('tpda_data', eventData),
  renamed('tpda_defer_errno', eventErrno),
  renamed('tpda_defer_errstr', eventData),
  renamed('tpda_delivery_confirmation', eventData),
  renamed('tpda_delivery_domain', domain),
  renamed('tpda_delivery_fqdn', host),
  renamed('tpda_delivery_ip', hostAddress),
  renamed('tpda_delivery_local_part', localPart),
  renamed('tpda_delivery_port', hostPort),
  renamed('tpda_event', eventName),
  warnDelay,
  warnRecipient,
  warnRecipients,
  renamed('warnmsg_delay', warnDelay),
  renamed('warnmsg_recipient', warnRecipient),
  renamed('warnmsg_recipients', warnRecipients),
]
