/** Certificates as variables; the answers are those of Exim 4.96 (GnuTLS), which was asked about the same files. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readCertificate } from '../../../base/certificate.ts'
import { isFailure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import { connectionFacts, expansionBench } from '../../../../test/support/expansion-context.ts'

/** Made with OpenSSL: `names` with alternative names and places of revocation, `escapes` with a strange subject. */
const files = {
  names: 'test/testdata/certificates/names.pem',
  escapes: 'test/testdata/certificates/escapes.pem',
}

function derOf(file: keyof typeof files): Buffer {
  const base64 = /-----([A-Za-z0-9+/=\s]+)-----END/.exec(readFileSync(files[file], 'latin1'))?.[1]
  return Buffer.from(base64 ?? '', 'base64')
}

async function ask(file: keyof typeof files, text: string, timezone: string): Promise<string> {
  const tls = {
    cipher: 'x',
    cipherStd: 'x',
    version: 'TLS1.3',
    bits: 256,
    certificateVerified: false,
    peerDn: '',
    sni: '',
    ocsp: 0,
    resumed: false,
    ourCertificate: derOf(file),
    onConnect: false,
  }
  const { expander, context } = expansionBench({
    settings: { timezone },
    context: { connection: connectionFacts({ tls }) },
  })
  const value = await expander.expandText(text, context)
  return isFailure(value) ? `Failed: ${value.message}` : textOf(value)
}

const dn = 'C=CH,O=Exa\\, mple Inc,OU=Mail,CN=mail.example.org,EMAIL=joe@example.org'
const of = (field: string): string => `\${certextract{${field}}{$tls_in_ourcert}{$value}{none}}`
const cases: readonly (readonly [text: string, answer: string])[] = [
  [of('version'), '3'],
  [of('version,int'), '3'],
  [of('serial_number'), '123456789abcdef'],
  [of('subject'), dn],
  [of('issuer'), dn],
  [of('subject,CN'), 'mail.example.org'],
  [of('subject,OU,>:'), 'Mail'],
  [of('subject,O'), 'Exa, mple Inc'],
  [of('subject,>:'), 'C=CH:O=Exa, mple Inc:OU=Mail:CN=mail.example.org:EMAIL=joe@example.org'],
  [of('subject,XX'), 'none'],
  [of('subject,raw'), 'none'],
  [of(' subject , CN '), dn],
  [of('notbefore'), 'Nov 29 07:18:48 2026 GMT'],
  [of('notafter,int'), '1798528728'],
  [of('sig_algorithm'), 'RSA-SHA256'],
  [
    of('subj_altname'),
    'DNS=mail.example.org\nDNS=*.example.org\nMAIL=joe@example.org\nURI=https://example.org/a:b',
  ],
  [
    of('subj_altname,>:'),
    'DNS=mail.example.org:DNS=*.example.org:MAIL=joe@example.org:URI=https:://example.org/a::b',
  ],
  [of('subj_altname,dns'), 'mail.example.org\n*.example.org'],
  [of('subj_altname,mail'), 'joe@example.org'],
  [of('subj_altname,uri,>:'), 'https:://example.org/a::b'],
  [of('subj_altname,>:,dns'), 'mail.example.org:*.example.org'],
  // Debian's Exim fails here, with a sentence about an unknown algorithm.
  [of('ocsp_uri'), 'http://ocsp.example.org/'],
  [of('crl_uri,>;'), 'http://crl.example.org/a.crl;http://crl2.example.org/b.crl'],
  [of('bogus'), 'Failed: bad field selector "bogus" for certextract'],
  [of(''), 'Failed: bad field selector "" for certextract'],
  ['${certextract{subject}{x}}', 'Failed: second argument of "certextract" must be a certificate variable'],
  [
    '${certextract{subject}{a$tls_in_ourcert}}',
    'Failed: second argument of "certextract" must be a certificate variable',
  ],
  ['${certextract{subject}}', "Failed: missing '{' for cert variable arg of certextract"],
  ['${certextract{subject}{$tls_in_peercert}}', ''],
  ['${certextract{subject}{$tls_out_peercert}{y}{n}}', 'n'],
  ['$tls_in_ourcert', '<cert>'],
  ['${lc:$tls_in_ourcert}', '<cert>'],
  ['${md5:$tls_in_ourcert}', 'D2C86F7721FD4B48CD89F584D118A27A'],
  ['${sha1:$tls_in_ourcert}', 'CFA45F7623D47793D8A9877C16BD8551F8F5D137'],
  ['${sha256:$tls_in_ourcert}', 'B85B6BCEB7E086D3B89A176334F76DAE70977B88CD7EDB59799FA415B2EF5F2B'],
  // As `openssl dgst -sha3-256` has it; Debian's Exim answers with something else.
  ['${sha3:$tls_in_ourcert}', 'EF5910F43E87F20A8E3ABA5019AA48A22B1123786C6E59A40B2C2BBBA8171593'],
  ['${length_40:${base64:$tls_in_ourcert}}', 'MIIEoDCCA4igAwIBAgIIASNFZ4mrze8wDQYJKoZI'],
  ['${if def:tls_in_peercert{y}{n}}${if def:tls_in_ourcert{y}{n}}', 'ny'],
]
for (const [text, answer] of cases)
  test(`certificate: ${text} is ${answer}`, async () => assert.equal(await ask('names', text, 'UTC'), answer))

const strange =
  'DC=org,DC=example,O=a\\+bc\\<d\\>\\;e\\\\\\\\f,OU=One,OU=Two,givenName=\\#x,L=\\ lead,surName=tr,UID=u1,serialNumber=77,title=T,street=S,CN=Zo\xc3\xab'
const strangeCases: readonly (readonly [text: string, answer: string])[] = [
  [of('subject'), strange],
  [of('subject,>:'), strange.replaceAll(',', ':')],
  [of('subject,OU'), 'One\nTwo'],
  [of('subject,DC,>.'), 'org.example'],
  [of('issuer,CN'), 'Zo\xc3\xab'],
  [of('notbefore'), 'Nov 29 08:21:06 2026 CET'],
  [of('notafter'), 'Jul  6 09:21:06 2032 CEST'],
  [of('notafter,raw'), 'Jul  6 09:21:06 2032 CEST'],
  [of('sig_algorithm'), 'ECDSA-SHA256'],
  [of('subj_altname'), 'none'],
  [of('crl_uri'), 'none'],
  [
    of('signature'),
    '30 44 02 20 0e 61 02 6a 33 3d 87 18 55 c3 10 0a 83 22 59 fe 06 a0 6a 34 c3 6c e1 f7 0f 66 95 08 e9 d6 cb 3e 02 20 15 5e 9d 9f 2b 6a 50 ed 44 cd cd e8 cc 75 9c 38 2e 69 48 d0 67 59 f8 d5 2b 0b 88 2e b9 c9 c3 4e',
  ],
]
for (const [text, answer] of strangeCases)
  test(`certificate with strange names: ${text}`, async () =>
    assert.equal(await ask('escapes', text, 'Europe/Zurich'), answer))

test('bytes that are no certificate are found to have no field', () => {
  const der = derOf('names')
  assert.deepEqual(readCertificate(readFileSync(files.names)), readCertificate(der))
  assert.ok(readCertificate(der) !== undefined)
  // Each shortened or bent form is refused or read, never thrown at.
  for (let i = 0; i < der.length; i += 3) {
    readCertificate(der.subarray(0, i))
    const bent = Buffer.from(der)
    bent[i] = 0xff
    readCertificate(bent)
  }
  assert.equal(readCertificate(Buffer.from('-----BEGIN CERTIFICATE-----')), undefined)
  assert.equal(readCertificate(Buffer.alloc(0)), undefined)
})
