/** The network in which the recipes play: names, and hosts that take mail. */
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
  '203.0.113.5',
  '203.0.113.6',
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

export const hosts: readonly Host[] = [
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
const txt = (...texts: readonly string[]): Zone[string] => texts.map((data) => ({ type: 'TXT', data }))
const ptr = (name: string): Zone[string] => [{ type: 'PTR', data: name }]

export const zone: Zone = {
  'mta.example A': a(ownAddress),
  'mta.example MX': mx('mta.example'),
  'self.example MX': mx('mta.example'),
  'mx.remote.example A': a('198.51.100.10'),
  'mx2.remote.example A': a('198.51.100.11'),
  'remote.example MX': mx('mx.remote.example', 'mx2.remote.example'),
  'remote.example TXT': txt('v=spf1 ip4:198.51.100.0/24 -all'),
  '_dmarc.remote.example TXT': txt('v=DMARC1; p=reject'),
  'other.example MX': mx('mx2.remote.example'),
  'other.example TXT': txt('v=spf1 ~all'),
  '_dmarc.other.example TXT': txt('v=DMARC1; p=quarantine'),
  'smarthost.example A': a('198.51.100.12'),
  'imap.example A': a('198.51.100.13'),
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
