/** The network in which the recipes play: names, and hosts that take mail. */
import { createHash, X509Certificate } from 'node:crypto'
import { renameSync } from 'node:fs'
import { selfSigned, type TestAuthority } from './certificates.ts'
import type { Zone } from './dns-server.ts'
import type { HostScript } from './remote-host.ts'

/** The address of the server that is tried. */
export const ownAddress = '192.0.2.1'

/** All addresses that the network must have. */
export const addresses: readonly string[] = [
  ownAddress,
  '192.0.2.2',
  '192.0.2.3',
  '198.51.100.10',
  '198.51.100.11',
  '198.51.100.12',
  '198.51.100.13',
  '198.51.100.14',
  '198.51.100.15',
  '198.51.100.16',
  '198.51.100.17',
  '198.51.100.18',
  '198.51.100.19',
  '203.0.113.5',
  '203.0.113.6',
  '203.0.113.8',
  '203.0.113.9',
  '203.0.113.77',
]

interface Host {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly script: HostScript
}

const picky: HostScript = {
  reply(line) {
    if (/^RCPT TO:<(?:unknown|nobody)/i.test(line)) return '550 5.1.1 No such user here'
    if (/^RCPT TO:<later/i.test(line)) return '450 4.2.0 Try again later'
    return undefined
  },
}

/** Of servers under `CERTS`: NAME.key, NAME.pem, NAME.chain. */
export function makeCertificates(authority: TestAuthority): void {
  for (const name of ['mta.example', 'shop.example', 'mx.tls.example', 'alice', 'mx.dane.example'])
    authority.leaf(name, { names: `DNS:${name}` })
  selfSigned(authority.folder, 'stranger', '/CN=stranger')
  renameSync(authority.at('stranger.crt'), authority.at('stranger.chain'))
}

export function hostsOf(authority: TestAuthority): readonly Host[] {
  const certificate = (name: string): NonNullable<HostScript['certificate']> => ({
    key: authority.read(`${name}.key`),
    cert: authority.read(`${name}.chain`),
  })
  return [
    ...plainHosts,
    {
      name: 'mx.tls',
      address: '198.51.100.14',
      port: 25,
      script: { ...secured, certificate: certificate('mx.tls.example') },
    },
    {
      name: 'busy.tls',
      address: '198.51.100.15',
      port: 25,
      script: {
        ...secured,
        reply: (line) => (line === 'STARTTLS' ? '454 4.7.0 TLS not available' : undefined),
      },
    },
    {
      name: 'stranger',
      address: '198.51.100.16',
      port: 25,
      script: {
        ...secured,
        certificate: { key: authority.read('stranger.key'), cert: authority.read('stranger.chain') },
      },
    },
    {
      name: 'msa',
      address: '198.51.100.17',
      port: 465,
      script: { ...asking, onConnect: true, certificate: certificate('mx.tls.example') },
    },
    {
      name: 'msa-587',
      address: '198.51.100.17',
      port: 587,
      script: { ...asking, certificate: certificate('mx.tls.example') },
    },
    {
      name: 'dane',
      address: '198.51.100.18',
      port: 25,
      script: { ...secured, certificate: certificate('mx.dane.example') },
    },
  ]
}

const secured: HostScript = { offers: ['STARTTLS', 'PIPELINING', '8BITMIME', 'SIZE 1000000'] }

/** Who may send: PLAIN for `relay`, LOGIN for all, CRAM-MD5 never. */
const asking: HostScript = {
  offers: ['STARTTLS', 'PIPELINING', 'AUTH PLAIN LOGIN CRAM-MD5'],
  reply(line) {
    if (line === 'AUTH CRAM-MD5') return '334 PDE4OTYuNjk3MTcwOTUyQG1zYT4='
    if (line.startsWith('AUTH PLAIN'))
      return line.endsWith(Buffer.from('\0relay\0pass').toString('base64')) ? '235 2.7.0 ok' : '535 5.7.8 no'
    if (line.startsWith('AUTH LOGIN')) return '334 VXNlcm5hbWU6'
    if (line === Buffer.from('user').toString('base64')) return '334 UGFzc3dvcmQ6'
    if (line === Buffer.from('secret').toString('base64')) return '235 2.7.0 ok'
    if (line === Buffer.from('wrong').toString('base64')) return '535 5.7.8 no'
    if (/^[A-Za-z0-9+/=]{30,}$/.test(line)) return '435 4.7.8 not now'
    return undefined
  },
}

const plainHosts: readonly Host[] = [
  { name: 'mx.remote', address: '198.51.100.10', port: 25, script: picky },
  { name: 'mx2.remote', address: '198.51.100.11', port: 25, script: picky },
  {
    name: 'smarthost',
    address: '198.51.100.12',
    port: 587,
    script: {
      offers: ['PIPELINING', '8BITMIME', 'SIZE 1000000', 'AUTH PLAIN CRAM-MD5'],
      reply(line) {
        if (line.startsWith('AUTH PLAIN')) return '235 2.7.0 Authentication successful'
        if (line === 'AUTH CRAM-MD5') return '334 PDE4OTYuNjk3MTcwOTUyQHNtYXJ0aG9zdD4='
        if (/^[A-Za-z0-9+/=]{20,}$/.test(line)) return '235 2.7.0 Authentication successful'
        return undefined
      },
    },
  },
  {
    name: 'lmtp',
    address: '198.51.100.13',
    port: 24,
    script: {
      reply(line) {
        if (/^RCPT TO:<(?:unknown|nobody)/i.test(line)) return '550 5.1.1 User unknown'
        return undefined
      },
      each: (rcpt) => (/<full/i.test(rcpt) ? '452 4.2.2 Quota exceeded' : '250 2.0.0 Saved'),
    },
  },
]

const a = (address: string): Zone[string] => [{ type: 'A', data: address }]
const mx = (...names: readonly string[]): Zone[string] =>
  names.map((exchange, i) => ({ type: 'MX', data: { preference: 10 * (i + 1), exchange } }))
const secure = (records: Zone[string]): Zone[string] => ({ secure: Array.isArray(records) ? records : [] })
const txt = (...texts: readonly string[]): Zone[string] => texts.map((data) => ({ type: 'TXT', data }))
const ptr = (name: string): Zone[string] => [{ type: 'PTR', data: name }]

export function zoneOf(authority: TestAuthority): Zone {
  const key = new X509Certificate(authority.read('mx.dane.example.pem')).publicKey
  const digest = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
  const tlsa = (certificate: Buffer): Zone[string] => ({
    secure: [{ type: 'TLSA', data: { usage: 3, selector: 1, matchingType: 1, certificate } }],
  })
  return {
    ...plainZone,
    '_25._tcp.mx.dane.example TLSA': tlsa(digest),
    '_25._tcp.mx.forged.example TLSA': tlsa(Buffer.alloc(32)),
  }
}

/** Public halves of `rsa.pem` and `ed.pem` of the recipe dkim. */
const rsaKey =
  'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCsQBea2Za5fnmm1iJj4oow0QnQoASOQhATlAyRiUiAuCS7zFEE84zzjDt8aYJ8UD4uXueg/V/QEH+qnsxyOdGcuWTlkeS4hgY5oo9dwWZzMmp1ptiQUMDRdJEhQgPPWaErqgM/NCen4cuXkY1ZRB84KX1upeR25TlQci01kiuQiQIDAQAB'
const ed25519Key = 'CJfsZEO9uolbtzO6hG8Prnuuc8FxUE7uy+OXK1o6om0='

const plainZone: Zone = {
  'mta.example A': a(ownAddress),
  'mta.example MX': mx('mta.example'),
  'self.example MX': mx('mta.example'),
  'ours.example MX': mx('mta.example', 'mx.remote.example'),
  'backed.example MX': mx('mx.remote.example', 'mta.example'),
  'down.example MX': mx('mailstore.example', 'mta.example'),
  'mx.remote.example A': a('198.51.100.10'),
  'mx2.remote.example A': a('198.51.100.11'),
  'remote.example MX': mx('mx.remote.example', 'mx2.remote.example'),
  'remote.example TXT': txt('v=spf1 ip4:198.51.100.0/24 -all'),
  '_dmarc.remote.example TXT': txt('v=DMARC1; p=reject'),
  'other.example MX': mx('mx2.remote.example'),
  'other.example TXT': txt('v=spf1 ~all'),
  '_dmarc.other.example TXT': txt('v=DMARC1; p=quarantine'),
  'tls.example MX': mx('mx.tls.example'),
  'mx.tls.example A': a('198.51.100.14'),
  'busy.example MX': mx('busy.tls.example', 'mx.tls.example'),
  'alone.example MX': mx('busy.tls.example'),
  'busy.tls.example A': a('198.51.100.15'),
  'stranger.example A': a('198.51.100.16'),
  'msa.example A': a('198.51.100.17'),
  'dane.example MX': secure(mx('mx.dane.example')),
  'mx.dane.example A': secure(a('198.51.100.18')),
  'forged.example MX': secure(mx('mx.forged.example')),
  'mx.forged.example A': secure(a('198.51.100.18')),
  's1._domainkey.remote.example TXT': txt(`v=DKIM1; k=rsa; n=a note; p=${rsaKey}`),
  'ed._domainkey.remote.example TXT': txt(`v=DKIM1; k=ed25519; p=${ed25519Key}`),
  's1._domainkey.other.example TXT': txt(`p=${rsaKey}`),
  's1._domainkey.test.example TXT': txt(`v=DKIM1; t=y:s; s=email; p=${rsaKey}`),
  's1._domainkey.bank.example TXT': txt(`v=DKIM1; p=${rsaKey}`),
  's1._domainkey.pay.example TXT': 'servfail',
  'servfail.example': 'servfail',
  'alias.example CNAME': [{ type: 'CNAME', data: 'mx.remote.example' }],
  'long.example TXT': [
    { type: 'TXT', data: ['first', ' second'] },
    { type: 'TXT', data: 'third; fourth' },
  ],
  'smarthost.example A': a('198.51.100.12'),
  'imap.example A': a('198.51.100.13'),
  'mailstore.example A': a('198.51.100.19'),
  'client.example A': a('203.0.113.5'),
  '5.113.0.203.in-addr.arpa PTR': ptr('client.example'),
  '10.100.51.198.in-addr.arpa PTR': ptr('mx.remote.example'),
  '6.113.0.203.in-addr.arpa PTR': ptr('liar.example'),
  'liar.example A': a('203.0.113.77'),
  'bad.client.dbl.example A': a('127.0.0.2'),
  '66.113.0.203.dnsbl.example A': a('127.0.0.2'),
  '66.113.0.203.dnsbl.example TXT': txt('listed: see http://dnsbl.example/203.0.113.66'),
  '66.113.0.203.in-addr.arpa PTR': ptr('spammer.example'),
  'spammer.example A': a('203.0.113.66'),
}
