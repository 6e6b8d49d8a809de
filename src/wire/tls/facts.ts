/** What is known of a TLS connection, in Exim's words. */
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls'
import type { TlsFacts } from '../../ports.ts'

/** Before there is any TLS. */
export const noTlsFacts: TlsFacts = {
  cipher: '',
  cipherStd: '',
  version: '',
  bits: 0,
  certificateVerified: false,
  peerDn: '',
  sni: '',
  ocsp: 0,
  resumed: false,
  onConnect: false,
}

export interface KnownOfHandshake {
  readonly verified: boolean
  readonly sni: string
  readonly onConnect: boolean
  /** Requirement O12. */
  readonly ocsp: number
  readonly resumption: number
  /** Of a client: DANE proved the server; which usages its TLSA records have. */
  readonly dane?: boolean
  readonly tlsaUsage?: number
}

/** Bits of `$tls_in_resumption`. Source: Exim manual, "TLS Resumption". */
export const resumptionBits = {
  supported: 1,
  clientTakesTickets: 2,
  clientBringsSession: 4,
  serverGaveTicket: 8,
  used: 16,
} as const

/** Facts of a finished handshake. */
export function factsOf(socket: TLSSocket, known: KnownOfHandshake): TlsFacts {
  const cipher = socket.getCipher()
  const version = (socket.getProtocol() ?? '').replace(/^TLSv/, 'TLS').replace(/^TLS1$/, 'TLS1.0')
  const bits = keyBits(cipher.standardName)
  const peer = socket.getPeerCertificate(false)
  const raw = rawOf(peer)
  const ours = socket.getCertificate()
  const ourRaw = ours === null || !('raw' in ours) ? undefined : rawOf(ours)
  const resumed = socket.isSessionReused()
  return {
    cipher: `${version}:${cipher.name}:${bits}`,
    cipherStd: cipher.standardName,
    version,
    bits,
    certificateVerified: known.verified,
    peerDn: raw === undefined ? '' : distinguishedName(socket),
    sni: known.sni,
    ocsp: known.ocsp,
    resumed,
    resumption: known.resumption | (resumed ? resumptionBits.used : 0),
    ...(known.dane === undefined ? {} : { dane: known.dane }),
    ...(known.tlsaUsage === undefined ? {} : { tlsaUsage: known.tlsaUsage }),
    ...(raw === undefined ? {} : { peerCertificate: raw }),
    ...(ourRaw === undefined ? {} : { ourCertificate: ourRaw }),
    onConnect: known.onConnect,
  }
}

/** The other side's certificates, each followed by its issuer as far as known. */
export function chainOf(secured: TLSSocket): Buffer[] {
  const chain: Buffer[] = []
  const seen = new Set<string>()
  let next: DetailedPeerCertificate | undefined = secured.getPeerCertificate(true)
  while (next?.raw !== undefined && chain.length < 12) {
    const mark = next.raw.toString('latin1')
    if (seen.has(mark)) break
    seen.add(mark)
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}

function rawOf(certificate: Partial<PeerCertificate>): Uint8Array | undefined {
  return certificate.raw
}

/** `/C=UK/O=Example/CN=mail.example`: the order of the certificate, as OpenSSL's one-line form has it. */
function distinguishedName(socket: TLSSocket): string {
  const subject = socket.getPeerX509Certificate()?.subject ?? ''
  return subject
    .split('\n')
    .map((line) => `/${Buffer.from(line, 'utf8').toString('latin1')}`)
    .join('')
}

/** Strength of the symmetric cipher. */
function keyBits(standardName: string): number {
  if (/AES_256|CHACHA20|CAMELLIA_256|ARIA_256/.test(standardName)) return 256
  if (/AES_128|CAMELLIA_128|ARIA_128|SEED|RC4_128/.test(standardName)) return 128
  return /3DES/.test(standardName) ? 168 : 0
}
