/**
 * The certificate of a server that was given none: it encrypts and proves nothing. Made when the first client wants
 * it, kept in memory, made anew before it ends. Source: Exim manual, main option "tls_certificate".
 */
import { generateKeyPair, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'

export interface SelfMade {
  /** PEM. */
  readonly certificate: string
  readonly key: string
}

export interface SelfMadeCertificates {
  for(name: string): Promise<SelfMade>
}

const dayMs = 86_400_000
const lifetimeDays = 8
const ecdsaWithSha256 = '1.2.840.10045.4.3.2'
const commonName = '2.5.4.3'
const subjectAlternativeName = '2.5.29.17'

export function selfMadeCertificates(now: () => number): SelfMadeCertificates {
  let kept: { readonly name: string; readonly until: number; readonly made: Promise<SelfMade> } | undefined
  return {
    for(name) {
      if (kept === undefined || kept.name !== name || now() > kept.until) {
        const made = makeCertificate(name, now())
        kept = { name, until: now() + (lifetimeDays - 1) * dayMs, made }
      }
      return kept.made
    },
  }
}

/** A P-256 key and a certificate of version 3 that it signs itself. */
async function makeCertificate(name: string, now: number): Promise<SelfMade> {
  const [{ AsnConvert, OctetString }, x509, keys] = await Promise.all([
    import('@peculiar/asn1-schema'),
    import('@peculiar/asn1-x509'),
    promisify(generateKeyPair)('ec', { namedCurve: 'P-256' }),
  ])
  const algorithm = new x509.AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  const who = new x509.Name([
    new x509.RelativeDistinguishedName([
      new x509.AttributeTypeAndValue({
        type: commonName,
        value: new x509.AttributeValue({ utf8String: name.slice(0, 64) }),
      }),
    ]),
  ])
  const names = new x509.SubjectAlternativeName([new x509.GeneralName({ dNSName: name })])
  const serial = randomBytes(16)
  // Positive, and never of leading zeros: RFC 5280 section 4.1.2.2.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const body = new x509.TBSCertificate({
    version: x509.Version.v3,
    serialNumber: plain(serial),
    signature: algorithm,
    issuer: who,
    subject: who,
    // A clock that is a little behind ours still takes it.
    validity: new x509.Validity({
      notBefore: new Date(now - dayMs),
      notAfter: new Date(now + lifetimeDays * dayMs),
    }),
    subjectPublicKeyInfo: AsnConvert.parse(
      keys.publicKey.export({ type: 'spki', format: 'der' }),
      x509.SubjectPublicKeyInfo,
    ),
    extensions: new x509.Extensions([
      new x509.Extension({
        extnID: subjectAlternativeName,
        critical: false,
        extnValue: new OctetString(AsnConvert.serialize(names)),
      }),
    ]),
  })
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(body)), keys.privateKey)
  const certificate = AsnConvert.serialize(
    new x509.Certificate({
      tbsCertificate: body,
      signatureAlgorithm: algorithm,
      signatureValue: plain(signature),
    }),
  )
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function plain(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
