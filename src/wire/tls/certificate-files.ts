/** Key, certificate and authority files. A door: it reads them. Source: Exim manual, "Configuring an Exim server to use TLS". */
import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { derParts, insideDer } from './ocsp/der.ts'
import { pemBlocks } from './ocsp/staple-file.ts'

const largestFileBytes = 4 << 20
const systemBundle = '/etc/ssl/certs/ca-certificates.crt'

/** A certificate of ours, as the handshake shows it. */
export interface OwnCertificate {
  readonly leaf: Buffer
  /** From the file's chain; undefined: it stands elsewhere. */
  readonly issuer: Buffer | undefined
  readonly keyType: 'rsa' | 'ecdsa' | 'other'
}

/** One stamp a file: changed when it was replaced, written to, or became readable (the time of change tells). */
export function stampOf(file: string): string {
  const path = file === 'system' ? systemBundle : file
  if (!path.startsWith('/')) return ''
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}`
  } catch (error) {
    // A folder above it that may not be entered.
    return error instanceof Error ? error.message : String(error)
  }
}

export function readFile(path: string): Buffer {
  const { size } = statSync(path)
  if (size > largestFileBytes) throw new Error(`${path} is larger than a certificate file can be`)
  return readFileSync(path)
}

/** A file, or all files of a folder. */
export function readAll(path: string): string[] {
  if (!statSync(path).isDirectory()) return [readFile(path).toString('latin1')]
  return readdirSync(path)
    .filter((name) => /\.(pem|crt|r?[0-9])$/.test(name))
    .slice(0, 1000)
    .map((name) => readFile(`${path}/${name}`).toString('latin1'))
}

/** Revocation lists, each by itself: Node takes only the first of several in one text. */
export function revocationLists(path: string): string[] {
  return readAll(path).flatMap((text) => {
    const found = text.match(/-----BEGIN X509 CRL-----[\s\S]*?-----END X509 CRL-----/g)
    if (found === null) throw new Error(`${path} holds no X509 CRL`)
    return found
  })
}

/** `tls_verify_certificates` asks for the authorities of the system. */
export function isSystem(verify: string): boolean {
  return /^system(,cache)?$/.test(verify)
}

/** Authorities that the host knows beside the list that Node brings along, as PEM. */
export function hostAuthorities(): string[] {
  if (statSync(systemBundle, { throwIfNoEntry: false }) === undefined) return []
  const bare = (pem: string): string => pem.replace(/-----[A-Z ]+-----|\s/g, '')
  const known = new Set(rootCertificates.map(bare))
  const blocks = readFile(systemBundle)
    .toString('latin1')
    .match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g)
  return (blocks ?? []).filter((pem) => !known.has(bare(pem)))
}

/** The first certificate of a file and the one that issued it. Undefined: the file holds none. */
export function ownCertificate(pem: Buffer): OwnCertificate | undefined {
  const [leaf, ...chain] = [
    ...pemBlocks(pem, 'CERTIFICATE'),
    ...pemBlocks(pem, 'X509 CERTIFICATE'),
    ...pemBlocks(pem, 'TRUSTED CERTIFICATE'),
  ]
  if (leaf === undefined) return undefined
  const certificate = new X509Certificate(leaf)
  return {
    leaf,
    issuer: issuerAmong(certificate, chain) ?? (certificate.checkIssued(certificate) ? leaf : undefined),
    keyType: keyType(certificate),
  }
}

/** The certificate that issued this one. */
export function issuerAmong(certificate: X509Certificate, candidates: readonly Buffer[]): Buffer | undefined {
  return candidates.find((raw) => {
    try {
      const issuer = new X509Certificate(raw)
      return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
    } catch {
      return false
    }
  })
}

function keyType(certificate: X509Certificate): OwnCertificate['keyType'] {
  const type = certificate.publicKey.asymmetricKeyType ?? ''
  if (type.startsWith('rsa')) return 'rsa'
  return type === 'ec' ? 'ecdsa' : 'other'
}

/** Bits of the prime in a file of Diffie-Hellman parameters (PKCS#3); undefined: it is none. */
export function diffieHellmanBits(pem: Buffer): number | undefined {
  const [der] = [...pemBlocks(pem, 'DH PARAMETERS'), ...pemBlocks(pem, 'X9.42 DH PARAMETERS')]
  const prime = der === undefined ? undefined : (insideDer(der) ?? derParts(der))?.[0]
  if (prime?.tag !== 0x02) return undefined
  const first = prime.content.findIndex((byte) => byte !== 0)
  if (first < 0) return undefined
  return (prime.content.length - first) * 8 - Math.clz32(prime.content[first] ?? 0) + 24
}
