/** Variables about the client and its session. */
import type { Awaitable } from '../../../base/outcome.ts'
import { fullHost, shownHostName } from '../../../mail/log-lines.ts'
import type { Environment } from '../environment.ts'
import type { VariableRow, VariableValue } from '../rows.ts'
import { outside, renamed, storedOutside, trusted } from './kinds.ts'

/** The client's name; looked up at the first use when nobody asked before. */
function hostName({ context }: Environment): Awaitable<VariableValue> {
  const { connection } = context
  if (connection === undefined || connection.hostAddress === undefined) return connection?.hostName
  if (connection.hostName !== undefined || connection.hostLookup !== 'not done') return connection.hostName
  return context.ports.lookUpHostName(connection, context).then(() => connection.hostName)
}

/** What stands after "from" in a Received: header. */
function senderRcvhost({ context }: Environment): string {
  const { connection } = context
  if (connection?.hostAddress === undefined) return ''
  const { hostAddress, hostPort, helo, ident } = connection
  const known = shownHostName(connection)
  const port = hostPort > 0 && context.ports.log.selects('incoming_port') ? String(hostPort) : ''
  const extra: string[] = []
  if (known === undefined && port !== '') extra.push(`port=${port}`)
  // A HELO name that says what stands there anyway is left out.
  const told = [`[${hostAddress}]`, known?.toLowerCase()]
  if (helo !== undefined && helo !== '' && !told.includes(helo.toLowerCase())) extra.push(`helo=${helo}`)
  if (ident !== undefined && ident !== '') extra.push(`ident=${ident}`)
  const inside = extra.join(' ')
  if (known === undefined) return inside === '' ? `[${hostAddress}]` : `[${hostAddress}] (${inside})`
  const address = port === '' ? `[${hostAddress}]` : `[${hostAddress}]:${port}`
  // Three things in the parentheses are too long for the line of a Received: header.
  const start = extra.length > 1 ? '\n\t' : ' '
  return `${known}${start}(${inside === '' ? address : `${address} ${inside}`})`
}

const tlsIn = (environment: Environment) => environment.context.connection?.tls
const proxy = (environment: Environment) => environment.context.connection?.proxy

const tlsInBits = trusted(
  'tls_in_bits',
  'Strength of the cipher of the connection in.',
  (e) => tlsIn(e)?.bits ?? 0,
)
const tlsInVerified = trusted(
  'tls_in_certificate_verified',
  'Whether the certificate of the client was verified: 1 or 0.',
  (e) => (tlsIn(e)?.certificateVerified === true ? 1 : 0),
)
const tlsInCipher = trusted('tls_in_cipher', 'Cipher of the connection in.', (e) => tlsIn(e)?.cipher)
const tlsInPeerdn = outside('tls_in_peerdn', 'Distinguished name of the client.', (e) => tlsIn(e)?.peerDn)
const tlsInSni = outside('tls_in_sni', 'Server name the client asked for.', (e) => tlsIn(e)?.sni)
const proxyLocal = trusted(
  'proxy_local_address',
  'Address of the proxy that called.',
  (e) => proxy(e)?.localAddress,
)
const proxyLocalPort = trusted(
  'proxy_local_port',
  'Port of the proxy that called.',
  (e) => proxy(e)?.localPort ?? 0,
)
const proxyExternal = trusted(
  'proxy_external_address',
  'Address at which the proxy took the call.',
  (e) => proxy(e)?.externalAddress,
)
const proxyExternalPort = trusted(
  'proxy_external_port',
  'Port at which the proxy took the call.',
  (e) => proxy(e)?.externalPort ?? 0,
)

export const connectionVariables: readonly VariableRow[] = [
  outside(
    'authenticated_fail_id',
    'Who tried to authenticate and failed.',
    ({ context }) => context.connection?.authenticatedFailId,
  ),
  outside('authenticated_id', 'Who is authenticated.', ({ context }) => context.connection?.authenticatedId),
  outside(
    'authenticated_sender',
    'The sender that AUTH= of MAIL named.',
    ({ context }) => context.connection?.authenticatedSender,
  ),
  trusted('authentication_failed', '1 after a failed AUTH.', ({ context }) =>
    context.connection?.authenticationFailed === true ? 1 : 0,
  ),
  trusted('connection_id', 'Identifies the connection.', ({ context }) => context.connection?.connectionId),
  trusted(
    'host_lookup_deferred',
    '1 when looking up the name of the client failed for now.',
    ({ context }) => (context.connection?.hostLookup === 'deferred' ? 1 : 0),
  ),
  trusted('host_lookup_failed', '1 when the client has no name.', ({ context }) =>
    context.connection?.hostLookup === 'failed' ? 1 : 0,
  ),
  trusted(
    'interface_address',
    'Older name of $received_ip_address.',
    ({ context }) => context.connection?.interfaceAddress,
  ),
  trusted(
    'interface_port',
    'Older name of $received_port.',
    ({ context }) => context.connection?.interfacePort ?? -1,
  ),
  proxyExternal,
  proxyExternalPort,
  proxyLocal,
  proxyLocalPort,
  renamed('proxy_host', proxyLocal),
  renamed('proxy_host_address', proxyLocal),
  renamed('proxy_host_port', proxyLocalPort),
  renamed('proxy_target_address', proxyExternal),
  renamed('proxy_target_port', proxyExternalPort),
  trusted('proxy_session', 'Whether the call came through a proxy: yes or no.', (e) =>
    proxy(e)?.session === true ? 'yes' : 'no',
  ),
  trusted(
    'received_ip_address',
    'Our address that was called.',
    ({ context }) => context.connection?.interfaceAddress,
  ),
  trusted(
    'received_port',
    'Our port that was called.',
    ({ context }) => context.connection?.interfacePort ?? -1,
  ),
  outside(
    'received_protocol',
    'How the message comes: smtp, esmtps, local ...',
    ({ context }) => context.connection?.protocol,
  ),
  outside(
    'sender_fullhost',
    'Name, HELO name and address of the client.',
    ({ context }) =>
      context.connection && fullHost(context.connection, context.ports.log.selects('incoming_port')),
  ),
  trusted('sender_helo_dnssec', 'Whether the HELO name was verified by DNSSEC.', ({ context }) =>
    context.connection?.heloVerified === true && context.connection.hostDnssec ? 'yes' : 'no',
  ),
  outside('sender_helo_name', 'What HELO or EHLO said.', ({ context }) => context.connection?.helo),
  trusted('sender_helo_verified', 'Whether the HELO name belongs to the client.', ({ context }) =>
    context.connection?.heloVerified === true ? 'yes' : 'no',
  ),
  outside('sender_host_address', 'Address of the client.', ({ context }) => context.connection?.hostAddress),
  trusted(
    'sender_host_authenticated',
    'The mechanism of a successful AUTH.',
    ({ context }) => context.connection?.authenticatedBy,
  ),
  trusted('sender_host_dnssec', 'Whether the name of the client is proven by DNSSEC.', ({ context }) =>
    context.connection?.hostDnssec === true ? 'yes' : 'no',
  ),
  outside('sender_host_name', 'Name of the client, looked up when needed.', hostName),
  trusted('sender_host_port', 'Port of the client.', ({ context }) => context.connection?.hostPort ?? 0),
  outside(
    'sender_ident',
    'Login name of the submitter, or what ident said.',
    ({ context }) => context.connection?.ident,
  ),
  storedOutside('sender_rate', 'Rate the ratelimit condition measured.'),
  storedOutside('sender_rate_limit', 'Limit the ratelimit condition was given.'),
  storedOutside('sender_rate_period', 'Period the ratelimit condition was given.'),
  outside('sender_rcvhost', 'The client as Received: headers name it.', senderRcvhost),
  outside('smtp_command', 'The SMTP command at work.', ({ context }) => context.connection?.smtpCommand),
  outside(
    'smtp_command_argument',
    'What follows the name of the SMTP command.',
    ({ context }) => context.connection?.smtpCommandArgument,
  ),
  trusted('smtp_command_history', 'The last commands of the session.', ({ context }) =>
    context.connection?.smtpCommandHistory.join(','),
  ),
  trusted(
    'smtp_count_at_connection_start',
    'How many calls there were when this one came.',
    ({ context }) => context.connection?.countAtStart ?? 0,
  ),
  trusted(
    'smtp_notquit_reason',
    'Why the session ended without QUIT.',
    ({ context }) => context.connection?.notQuitReason,
  ),
  tlsInBits,
  tlsInVerified,
  tlsInCipher,
  trusted(
    'tls_in_cipher_std',
    'Standard name of the cipher of the connection in.',
    (e) => tlsIn(e)?.cipherStd,
  ),
  trusted('tls_in_ocsp', 'State of OCSP on the connection in: 0 to 4.', (e) => tlsIn(e)?.ocsp ?? 0),
  tlsInPeerdn,
  trusted('tls_in_resumption', 'Bits that tell of TLS resumption in.', (e) => tlsIn(e)?.resumption ?? 0),
  tlsInSni,
  trusted('tls_in_ver', 'Version of TLS of the connection in.', (e) => tlsIn(e)?.version),
  renamed('tls_bits', tlsInBits),
  renamed('tls_certificate_verified', tlsInVerified),
  renamed('tls_cipher', tlsInCipher),
  renamed('tls_peerdn', tlsInPeerdn),
  renamed('tls_sni', tlsInSni),
]
