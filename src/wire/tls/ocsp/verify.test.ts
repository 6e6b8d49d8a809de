/** Proofs made by openssl, good and bad, before our verifier. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { X509Certificate } from 'node:crypto'
import { noOpenssl, TestAuthority } from '../../../../test/support/certificates.ts'
import { readStapleFile, stapleFiles } from './staple-file.ts'
import { type OcspVerdict, verifyOcsp } from './verify.ts'

const skip = noOpenssl
const folder = mkdtempSync(join(tmpdir(), 'ocsp-verify-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const day = 86_400_000
const ca = skip === false ? prepare() : undefined

function prepare(): TestAuthority {
  const made = new TestAuthority(folder)
  made.leaf('a.example')
  made.leaf('b.example')
  made.leaf('rsa.example', { rsa: true })
  made.responder('resp')
  made.responder('resp-rsa', {})
  made.responder('resp-noeku', { usage: 'serverAuth' })
  made.responder('resp-soon', { days: 2 })
  made.responder('resp-root', { issuer: 'ca' })
  made.openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'rogue.key', '-out', 'rogue.pem'],
    ...['-days', '400', '-subj', '/CN=rogue', '-addext', 'extendedKeyUsage=OCSPSigning'],
  )
  made.proof('good.der', 'a.example', { signer: 'resp' })
  made.proof('goodca.der', 'a.example', { signer: 'int' })
  made.proof('revoked.der', 'b.example', { signer: 'resp', revoked: true })
  made.proof('noeku.der', 'a.example', { signer: 'resp-noeku' })
  made.proof('soon.der', 'a.example', { signer: 'resp-soon' })
  made.proof('rogue.der', 'a.example', { signer: 'rogue' })
  made.proof('uncle.der', 'a.example', { signer: 'resp-root' })
  made.proof('two.der', 'a.example', { signer: 'resp', switches: ['-rother', 'int.pem'] })
  made.proof('nocert.der', 'a.example', { signer: 'resp', switches: ['-resp_no_certs'] })
  made.proof('bykey.der', 'a.example', { signer: 'resp', switches: ['-resp_key_id'] })
  made.proof('sha1.der', 'a.example', { signer: 'resp', switches: ['-rmd', 'sha1'] })
  made.proof('nonext.der', 'a.example', { signer: 'resp', days: 0 })
  made.openssl(
    'ocsp',
    '-issuer',
    'int.pem',
    '-sha256',
    '-cert',
    'a.example.pem',
    '-no_nonce',
    '-reqout',
    'sha256.req',
  )
  execFileSync(
    'openssl',
    [
      'ocsp',
      '-index',
      'good.der.index',
      '-CA',
      'int.pem',
      '-rsigner',
      'resp.pem',
      '-rkey',
      'resp.key',
      '-reqin',
      'sha256.req',
      '-respout',
      'sha256.der',
      '-ndays',
      '7',
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  const tampered = Buffer.from(made.read('good.der'))
  tampered[200] = (tampered[200] ?? 0) ^ 1
  writeFileSync(made.at('tampered.der'), tampered)
  writeFileSync(made.at('later.der'), Buffer.from([0x30, 3, 0x0a, 1, 3]))
  return made
}

function raw(name: string): Buffer {
  return new X509Certificate(ca?.read(`${name}.pem`) ?? '').raw
}

interface Case {
  readonly says: string
  readonly file: string
  readonly leaf?: string
  readonly days?: number
  readonly extra?: string
  readonly want: 'good' | (OcspVerdict & { is: 'bad' })['problem']
}

const cases: readonly Case[] = [
  { says: 'signed by a responder that the issuer certified', file: 'good.der', want: 'good' },
  { says: 'signed by the issuer itself', file: 'goodca.der', want: 'good' },
  { says: 'the signer named by its key', file: 'bykey.der', want: 'good' },
  { says: 'the certificate named by SHA-256', file: 'sha256.der', want: 'good' },
  { says: 'two certificates inside', file: 'two.der', want: 'good' },
  { says: 'revoked', file: 'revoked.der', leaf: 'b.example', want: 'revoked' },
  { says: 'about another certificate', file: 'good.der', leaf: 'b.example', want: 'other-certificate' },
  { says: 'a signer without OCSPSigning', file: 'noeku.der', want: 'unauthorized-signer' },
  { says: 'a signer that certified itself', file: 'rogue.der', want: 'unauthorized-signer' },
  {
    says: 'a signer of the issuer’s issuer: RFC 6960 section 4.2.2.2',
    file: 'uncle.der',
    want: 'unauthorized-signer',
  },
  { says: 'no certificate of the signer inside', file: 'nocert.der', want: 'unauthorized-signer' },
  {
    says: 'no certificate inside, but known from the file: O5',
    file: 'nocert.der',
    extra: 'resp',
    want: 'good',
  },
  { says: 'one bit changed', file: 'tampered.der', want: 'signature' },
  { says: 'signed with SHA-1', file: 'sha1.der', want: 'signature' },
  { says: 'the responder says tryLater', file: 'later.der', want: 'no-answer' },
  { says: 'eight days later', file: 'good.der', days: 8, want: 'expired' },
  {
    says: 'two minutes after its end, within the tolerance of clocks: O4',
    file: 'good.der',
    days: 7 + 120 / 86_400,
    want: 'good',
  },
  { says: 'a day before it was made', file: 'good.der', days: -1, want: 'not-yet-valid' },
  { says: 'O4: no nextUpdate', file: 'nonext.der', want: 'no-next-update' },
  {
    says: 'O10: the signer’s certificate has ended, the proof has not',
    file: 'soon.der',
    days: 3,
    want: 'signer-expired',
  },
  { says: 'a certificate in place of a proof', file: 'int.key', want: 'malformed' },
]
for (const c of cases) {
  test(`a proof: ${c.says}: ${c.want}`, { skip }, async () => {
    const verdict = await verifyOcsp({
      response: ca?.read(c.file) ?? Buffer.alloc(0),
      leaf: raw(c.leaf ?? 'a.example'),
      issuer: raw('int'),
      extra: c.extra === undefined ? [] : [raw(c.extra)],
      now: Date.now() + (c.days ?? 0) * day,
    })
    assert.equal(verdict.is === 'good' ? 'good' : verdict.problem, c.want, JSON.stringify(verdict))
  })
}

test('O10: a proof that outlives its signer can be used only until the signer ends', { skip }, async () => {
  const verdict = await verifyOcsp({
    response: ca?.read('soon.der') ?? Buffer.alloc(0),
    leaf: raw('a.example'),
    issuer: raw('int'),
    now: Date.now(),
  })
  assert.ok(verdict.is === 'good' && verdict.signerEndsFirst)
  assert.ok(verdict.usableUntil < verdict.nextUpdate)
})

test('random bytes and cut proofs are malformed, never an exception', { skip }, async () => {
  const good = ca?.read('good.der') ?? Buffer.alloc(0)
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(good)
    for (let n = 0; n < 4; n++)
      bytes[Math.floor(Math.random() * bytes.length)] = Math.floor(Math.random() * 256)
    const response = i % 2 === 0 ? bytes : bytes.subarray(0, Math.floor(Math.random() * bytes.length))
    const verdict = await verifyOcsp({
      response,
      leaf: raw('a.example'),
      issuer: raw('int'),
      now: Date.now(),
    })
    if (response.equals(good)) continue
    assert.ok(verdict.is === 'bad' || response.length === good.length, JSON.stringify(verdict))
  }
})

test('a prefix sets the format of its file and of those after it', () => {
  assert.deepEqual(stapleFiles(['/a', 'PEM /b', '/c', '', 'DER /d']), [
    { path: '/a', format: 'DER' },
    { path: '/b', format: 'PEM' },
    { path: '/c', format: 'PEM' },
    undefined,
    { path: '/d', format: 'DER' },
  ])
})

test('O5: a DER response with certificates after it, and a PEM file with both', { skip }, () => {
  const response = ca?.read('nocert.der') ?? Buffer.alloc(0)
  const pem = ca?.read('resp.pem') ?? Buffer.alloc(0)
  const both = readStapleFile(Buffer.concat([response, pem]), 'DER')
  assert.ok(!('problem' in both))
  assert.deepEqual(both, { responses: [response], certificates: [raw('resp')] })
  ca?.pem('nocert.der', 'both.pem', ['resp'])
  const fromPem = readStapleFile(ca?.read('both.pem') ?? Buffer.alloc(0), 'PEM')
  assert.deepEqual(fromPem, both)
  const der = readStapleFile(Buffer.concat([response, raw('resp')]), 'DER')
  assert.deepEqual(der, both)
})
