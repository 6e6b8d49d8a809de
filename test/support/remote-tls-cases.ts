/** What test/remote-tls-vs-exim.test.ts sends to scripted hosts. */
import { createHash, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { selfSigned, type TestAuthority } from './certificates.ts'
import type { Script, ScriptedRecord, Zone } from './dns-server.ts'
import type { RemoteCase } from './remote-compare.ts'
import type { HostScript } from './remote-host.ts'

const offers = ['STARTTLS', 'PIPELINING']
const forced = '${if eq{1}{2}{x}fail}'

/** How the host answers STARTTLS. */
const answering = (reply: string): HostScript => ({
  offers,
  reply: (line) => (line === 'STARTTLS' ? reply : undefined),
})

type Host = readonly [name: string, host: HostScript]

export function remoteTlsCases(authority: TestAuthority): readonly RemoteCase[] {
  const at = (name: string): string => authority.at(name)
  const { good, hosts } = hostsOf(authority)
  const verified = `hosts = far.test\ntls_verify_certificates = ${at('ca.pem')}\n`
  return [
    ...policies(hosts, verified),
    ...texts(authority, good, verified),
    ...lists(good, verified),
    ...others(authority, good, verified),
    ...dane(authority, good),
  ].map((one) => {
    const why = meant.find(([pattern]) => pattern.test(one.says))?.[1]
    return {
      ...one,
      zone: (port) => ({ ...zone, ...one.zone?.(port) }),
      ...(why !== undefined && { meant: why }),
    }
  })
}

/** Why the two differ on purpose: docs/decisions/tls.md, docs/decisions/remote-deliveries.md. */
const meant: readonly (readonly [RegExp, string])[] = [
  [/^TLS 1\.1 only: (?!hosts_avoid_tls)/, 'TLS 1.1 is not spoken: RFC 8996'],
  [/^STARTTLS refused .*: .*hosts_require_tls/, 'the answer is told'],
  [/^tls_privatekey = \$\{if/, 'Exim crashes'],
  [/^tls_crl = (?:\$\{lc|\$nosuch|FOLDER\/(?:none|client|\$))/, 'a list that cannot be had lets nobody pass'],
  [/^tls_crl = FOLDER\/int\.crl/, 'OpenSSL wants a list of each authority'],
  [/^tls_require_ciphers = SECURE256/, 'the words of GnuTLS are read as far as OpenSSL has the like'],
  [/^tls_sni = (?:ütf|\$\{length)/, 'GnuTLS takes no such name'],
  [/^tls_sni = \$host_address/, 'an address is no server name: RFC 6066'],
  [/^list hosts_require_ocsp = (?:\*|\$host|\$\{lc|\+none|127)/, 'nothing is sent without proof'],
  [
    /^list hosts_require_dane = (?:\*|\$\{lc|\+none|\$host|127)/,
    'the message waits, and what cannot be told asks for DANE',
  ],
  [/^list hosts_(?:require_tls|noproxy_tls) = (?:\$\{lc|\+none)/, 'told as often as it is asked'],
  [/^variables (?:of TLS|after a certificate)/, 'no proof at all is 1: no response'],
  [/^variables in clear after/, 'without TLS there is no SNI'],
  [/^resumption/, 'messages of one run go out beside each other'],
  [/^not verified: hosts_avoid_tls = \*, hosts_require_tls/, 'what must be encrypted is encrypted'],
  [/^DANE, proved\.test: hosts_avoid_tls/, 'what must be encrypted is encrypted'],
  [/^DANE, (?:useless|norecords|unsigned|insecure)\.test: hosts_require_dane/, 'the message waits'],
  [/^DANE, fornow\.test: (?!hosts_try_dane)/, 'the record that could not be had is named'],
  [/^DANE, unsigned\.test: (?!hosts_try_dane)/, 'records that do not count are not worth a line'],
  [/^DANE, a host that refuses STARTTLS/, 'TLS is required, by DANE'],
  [/^hosts_require_dane, the second host/, 'the second host is tried'],
]

const zone: Zone = { 'far.test A': [{ type: 'A', data: '127.77.0.1' }] }

function hostsOf(authority: TestAuthority): { readonly good: HostScript; readonly hosts: readonly Host[] } {
  authority.leaf('far.test', { names: 'DNS:far.test,IP:127.77.0.1' })
  authority.leaf('other.test', { names: 'DNS:other.test' })
  authority.leaf('old', { names: 'DNS:far.test', days: -1 })
  authority.leaf('wild', { names: 'DNS:*.test' })
  selfSigned(authority.folder, 'self', '/CN=far.test', ['-addext', 'subjectAltName=DNS:far.test'])
  const speaks = (name: string, more: HostScript = {}): HostScript => ({
    offers,
    certificate: { key: authority.read(`${name}.key`), cert: authority.read(`${name}.chain`) },
    ...more,
  })
  const good = speaks('far.test')
  const self = { key: authority.read('self.key'), cert: authority.read('self.crt') }
  const hosts: readonly Host[] = [
    ['a good certificate', good],
    ['a good certificate, TLS 1.2', { ...good, context: { maxVersion: 'TLSv1.2' } }],
    ['an expired certificate', speaks('old')],
    ['a self-signed certificate', { offers, certificate: self }],
    ['a certificate for another name', speaks('other.test')],
    ['a certificate with a wildcard', speaks('wild')],
    ['no STARTTLS', {}],
    ['STARTTLS refused for now', answering('454 no TLS today')],
    ['STARTTLS refused for good', answering('501 no TLS')],
    ['STARTTLS answered with nonsense', answering('hello')],
    ['closed instead of an answer to STARTTLS', answering('drop')],
    ['silent after STARTTLS', answering('hang')],
    ['closed in the handshake', answering('220 godrop')],
    ['silent in the handshake', answering('220 gohang')],
    ['text in clear after STARTTLS', answering('220 go\n250 take thishang')],
    [
      'TLS 1.1 only',
      { ...good, context: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } },
    ],
  ]
  return { good, hosts }
}

function policies(hosts: readonly Host[], verified: string): readonly RemoteCase[] {
  return [
    '',
    'hosts_require_tls = *',
    'tls_tempfail_tryclear = false',
    'hosts_avoid_tls = *',
    'tls_verify_hosts = *',
    'tls_verify_hosts = *\nhosts_require_tls = *',
    'tls_verify_hosts = *\ntls_tempfail_tryclear = false',
    'tls_try_verify_hosts =',
    'tls_verify_hosts = *\ntls_verify_cert_hostnames =',
    'protocol = smtps',
  ].flatMap((option) =>
    hosts.map(
      ([name, host]): RemoteCase => ({
        says: `${name}: ${option === '' ? 'nothing set' : option.replaceAll('\n', ', ')}`,
        host: option === 'protocol = smtps' ? { ...host, onConnect: true } : host,
        options: `${verified}${option}`,
      }),
    ),
  )
}

function texts(authority: TestAuthority, good: HostScript, verified: string): readonly RemoteCase[] {
  const at = (name: string): string => authority.at(name)
  authority.crl('int.crl', 'int', [])
  authority.crl('revoked.crl', 'int', ['far.test'])
  authority.crl('ca.crl', 'ca', [])
  // With a list of each authority, as the manual asks for OpenSSL.
  const lists = (name: string, ...from: readonly string[]): void =>
    writeFileSync(at(name), Buffer.concat(from.map((each) => authority.read(each))))
  lists('good.crl', 'int.crl', 'ca.crl')
  lists('bad.crl', 'revoked.crl', 'ca.crl')
  authority.leaf('client')
  authority.leaf('127.77.0.1')
  const pair = `tls_certificate = ${at('client.chain')}\n`
  const odd: readonly string[] = ['', '${lc', forced, '$nosuch']
  const values: Readonly<Record<string, readonly string[]>> = {
    tls_certificate: [...odd, at('client.chain'), at('none'), at('client.ext'), 'relative'],
    tls_privatekey: [
      ...odd,
      at('client.key'),
      at('none'),
      at('client.ext'),
      at('ca.key'),
      `${authority.folder}/\${if eq{$host}{far.test}{client}{none}}.key`,
    ],
    tls_crl: [
      ...odd,
      at('good.crl'),
      at('bad.crl'),
      at('int.crl'),
      at('revoked.crl'),
      at('none'),
      at('client.ext'),
      `${authority.folder}/\${if eq{$host_address}{127.77.0.1}{bad}{good}}.crl`,
    ],
    tls_require_ciphers: [
      ...odd,
      'NORMAL',
      'NORMAL:-VERS-ALL:+VERS-TLS1.2',
      'SECURE256',
      'nonsense',
      'NORMAL:-CIPHER-ALL',
      '${if eq{$host}{far.test}{NORMAL:-VERS-ALL:+VERS-TLS1.2}{nonsense}}',
    ],
    tls_sni: [
      ...odd,
      'other.example',
      '$host',
      '$host_address',
      '$domain',
      '$address_data',
      'two words',
      'ütf',
      '.',
      `\${length_300:\${sg{${'x'.repeat(300)}}{x}{y}}}`,
    ],
    tls_alpn: [...odd, 'smtp', 'smtp : other', '$host', 'x'.repeat(300)],
    tls_verify_certificates: [
      ...odd,
      'system',
      'system,cache',
      at('ca.pem'),
      at('int.pem'),
      at('none'),
      at('client.ext'),
      authority.folder,
      '$host_address',
      `${authority.folder}/\${if eq{$host}{far.test}{ca}{none}}.pem`,
      `${authority.folder}/$domain`,
    ],
  }
  return Object.entries(values).flatMap(([name, each]) =>
    each.flatMap((value) =>
      ['', 'hosts_require_tls = *', 'tls_verify_hosts = *\nhosts_require_tls = *'].map(
        (policy): RemoteCase => ({
          says: `${name} = ${value.replaceAll(authority.folder, 'FOLDER').replace(/(.{40}).*/, '$1...')}, ${policy.replaceAll('\n', ', ')}`,
          host: { ...good, asks: true, ...(name === 'tls_alpn' && { alpn: ['smtp'] }) },
          options: `${name === 'tls_verify_certificates' ? 'hosts = far.test\n' : verified}${
            name === 'tls_privatekey'
              ? pair
              : name === 'tls_certificate'
                ? `tls_privatekey = ${at('client.key')}\n`
                : ''
          }${name} = ${value}\n${policy}`,
          routerOptions: 'address_data = data.example',
        }),
      ),
    ),
  )
}

function lists(good: HostScript, verified: string): readonly RemoteCase[] {
  const names = [
    'hosts_require_tls',
    'hosts_avoid_tls',
    'hosts_verify_avoid_tls',
    'hosts_nopass_tls',
    'hosts_noproxy_tls',
    'hosts_require_ocsp',
    'hosts_request_ocsp',
    'hosts_require_alpn',
    'hosts_require_dane',
    'hosts_try_dane',
    'tls_resumption_hosts',
    'tls_verify_hosts',
    'tls_try_verify_hosts',
    'tls_verify_cert_hostnames',
  ]
  const values = [
    '',
    ':',
    '*',
    '${lc',
    forced,
    '! *',
    '+none',
    '$host',
    '127.77.0.1',
    '127.77.0.9 : far.test',
  ]
  return names.flatMap((name) =>
    values.map(
      (value): RemoteCase => ({
        says: `list ${name} = ${value}`,
        host: good,
        options: `${verified}${name} = ${value}`,
      }),
    ),
  )
}

function others(authority: TestAuthority, good: HostScript, verified: string): readonly RemoteCase[] {
  const shown = [
    'certificate_verified',
    'cipher',
    'cipher_std',
    'dane',
    'ocsp',
    'ourcert',
    'peercert',
    'peerdn',
  ]
    .concat(['resumption', 'sni', 'tlsa_usage', 'ver'])
    .map((name) => `X-${name}: <$tls_out_${name}>`)
    .filter((line) => !/cert:|cipher|peerdn/.test(line))
    .join('\\n')
  const seen = `headers_add = ${shown}\n`
  return [
    { says: 'variables of TLS', host: good, options: `${verified}${seen}tls_sni = $host` },
    {
      says: 'variables without TLS',
      host: { offers: ['PIPELINING'] },
      options: `${verified}${seen}tls_sni = $host`,
    },
    {
      says: 'variables after a certificate that is not good',
      host: good,
      options: `hosts = far.test\n${seen}`,
    },
    {
      says: 'variables in clear after a handshake that failed',
      host: {
        ...good,
        offers: ['STARTTLS', 'PIPELINING'],
        reply: (line, { count }) => (line === 'STARTTLS' && count < 3 ? '220 godrop' : undefined),
      },
      options: `${verified}${seen}tls_sni = $host`,
    },
    ...['tls_dh_min_bits = 0', 'tls_dh_min_bits = -1', 'tls_dh_min_bits = 4096', 'tls_dh_min_bits = 512'].map(
      (option): RemoteCase => ({
        says: `DHE: ${option}`,
        host: {
          ...good,
          context: {
            maxVersion: 'TLSv1.2',
            ciphers: 'DHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384',
            dhparam: 'auto',
          },
        },
        options: `${verified}${option}`,
      }),
    ),
    {
      says: 'resumption, a second message',
      messages: 2,
      host: good,
      options: `${verified}${seen}tls_resumption_hosts = *\nconnection_max_messages = 1`,
    },
    {
      says: 'resumption with TLS 1.2, a second message',
      messages: 2,
      host: { ...good, context: { maxVersion: 'TLSv1.2' } },
      options: `${verified}${seen}tls_resumption_hosts = *\nconnection_max_messages = 1`,
    },
    {
      says: 'an empty tls_try_verify_hosts and the authorities of the system',
      host: good,
      options: 'hosts = far.test\ntls_try_verify_hosts =',
    },
    {
      says: 'a name in the certificate for a host named by its address',
      host: good,
      options: `tls_verify_certificates = ${authority.at('ca.pem')}\ntls_verify_hosts = *`,
    },
    ...['', 'hosts_nopass_tls = *', 'hosts_nopass_tls = $host', 'hosts_noproxy_tls = *'].map(
      (option): RemoteCase => ({
        says: `two messages for one host: ${option}`,
        messages: 2,
        host: good,
        options: `${verified}${option}`,
      }),
    ),
    ...['hosts_require_alpn = *', 'tls_alpn = smtp', 'tls_alpn = smtp\nhosts_require_alpn = *'].flatMap(
      (option) =>
        [undefined, ['smtp'], ['other']].map(
          (alpn): RemoteCase => ({
            says: `ALPN: ${option}, a host that speaks ${alpn?.[0] ?? 'none'}`.replaceAll('\n', ', '),
            host: { ...good, ...(alpn !== undefined && { alpn }) },
            options: `${verified}${option}`,
          }),
        ),
    ),
    ...[
      'hosts_avoid_tls = *\nhosts_require_tls = *',
      'hosts_avoid_tls = *\nprotocol = smtps',
      'tls_verify_hosts =\ntls_try_verify_hosts =',
      'tls_verify_hosts = :\ntls_try_verify_hosts =',
      `tls_verify_hosts = ${forced}\ntls_try_verify_hosts =`,
      'tls_verify_hosts = ${if eq{1}{2}{x}}\ntls_try_verify_hosts =',
    ].map(
      (option): RemoteCase => ({
        says: `not verified: ${option}`.replaceAll('\n', ', '),
        host: { ...good, ...(option.includes('smtps') && { onConnect: true }) },
        options: `hosts = far.test\ntls_verify_certificates = ${authority.at('client.pem')}\n${option}`,
      }),
    ),
    {
      says: 'a second host after a certificate that is not good',
      addresses: ['127.77.0.1', '127.77.0.2'],
      host: good,
      options:
        `${verified}hosts = 127.77.0.2 : far.test\ntls_verify_hosts = *\nhosts_require_tls = *`.replace(
          /^hosts = far.test\n/,
          '',
        ),
    },
    {
      says: 'a second host after STARTTLS that was refused',
      addresses: ['127.77.0.1', '127.77.0.2'],
      host: {
        ...good,
        reply: (line, { address }) =>
          line === 'STARTTLS' && address === '127.77.0.1' ? '454 no' : undefined,
      },
      options: 'hosts = 127.77.0.1 : 127.77.0.2\ntls_tempfail_tryclear = false',
    },
    {
      says: 'a second host after STARTTLS that was not offered',
      addresses: ['127.77.0.1', '127.77.0.2'],
      host: {
        ...good,
        reply: (line, { address }) =>
          line.startsWith('EHLO') && address === '127.77.0.1' ? '250 far' : undefined,
      },
      options: 'hosts = 127.77.0.1 : 127.77.0.2\nhosts_require_tls = *',
    },
  ]
}

/** Each kind of records at a host of its own. */
function dane(authority: TestAuthority, good: HostScript): readonly RemoteCase[] {
  const { raw } = new X509Certificate(authority.read('far.test.pem'))
  const hash = createHash('sha256').update(raw).digest()
  const address = [{ type: 'A', data: '127.77.0.1' }]
  const tlsa = (usage: number, certificate: Buffer): ScriptedRecord[] => [
    { type: 'TLSA', data: { usage, selector: 0, matchingType: 1, certificate } },
  ]
  const secure = (
    host: string,
    records: Script | undefined,
    insecureHost = false,
  ): RemoteCase['zone'] & {} => {
    const a: Zone = { [`${host} A`]: insecureHost ? address : { secure: address } }
    return (port) => (records === undefined ? a : { ...a, [`_${port}._tcp.${host} TLSA`]: records })
  }
  const kinds: readonly (readonly [host: string, zone: RemoteCase['zone'] & {}])[] = [
    ['proved.test', secure('proved.test', { secure: tlsa(3, hash) })],
    ['another.test', secure('another.test', { secure: tlsa(3, Buffer.alloc(32)) })],
    ['useless.test', secure('useless.test', { secure: tlsa(1, hash) })],
    ['norecords.test', secure('norecords.test', undefined)],
    ['fornow.test', secure('fornow.test', 'servfail')],
    ['unsigned.test', secure('unsigned.test', tlsa(3, hash))],
    ['insecure.test', secure('insecure.test', { secure: tlsa(3, hash) }, true)],
  ]
  const options = [
    '',
    'hosts_require_dane = *',
    'hosts_try_dane =',
    'hosts_require_tls = *',
    'tls_tempfail_tryclear = false',
    'tls_sni = other.example',
    'hosts_avoid_tls = *',
    'dane_require_tls_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2',
    'dane_require_tls_ciphers = nonsense',
    'dane_require_tls_ciphers = ${lc',
    `dane_require_tls_ciphers = ${forced}\ntls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2`,
    'dane_require_tls_ciphers =\ntls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2',
  ]
  const shown = 'headers_add = X-T: <$tls_out_dane> <$tls_out_tlsa_usage> <$tls_out_sni>\n'
  const tried = (option: string): string =>
    option.startsWith('hosts_try_dane') ? '' : 'hosts_try_dane = *\n'
  const proved = kinds[0]?.[1] as RemoteCase['zone'] & {}
  return [
    ...kinds.flatMap(([host, zoneOf]) =>
      options.slice(0, host === 'proved.test' ? undefined : 5).map(
        (option): RemoteCase => ({
          says: `DANE, ${host}: ${option}`.replaceAll('\n', ', '),
          host: good,
          zone: zoneOf,
          options: `hosts = ${host}\n${tried(option)}${shown}${option}`,
        }),
      ),
    ),
    ...(
      [
        ['does not offer TLS', {}],
        ['refuses STARTTLS', answering('454 no')],
        ['breaks off in the handshake', answering('220 godrop')],
      ] as const
    ).map(
      ([name, host]): RemoteCase => ({
        says: `DANE, a host that ${name}`,
        host,
        zone: proved,
        options: 'hosts = proved.test\nhosts_try_dane = *',
      }),
    ),
    {
      says: 'hosts_require_dane, the second host is as it must be',
      addresses: ['127.77.0.1', '127.77.0.2'],
      host: good,
      zone: (port) => ({
        'second.test A': { secure: [{ type: 'A', data: '127.77.0.2' }] },
        [`_${port}._tcp.second.test TLSA`]: { secure: tlsa(3, hash) },
      }),
      options: 'hosts = far.test : second.test\nhosts_require_dane = *',
    },
  ]
}
