import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { noOpenssl, TestAuthority } from '../../../test/support/certificates.ts'
import { diffieHellmanBits, ownCertificate } from './certificate-files.ts'
import { createTlsContexts } from './contexts.ts'

const skip = noOpenssl
const folder = mkdtempSync(join(tmpdir(), 'certificate-files-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const ca = skip === false ? new TestAuthority(folder) : undefined
const at = (name: string): string => join(folder, name)

const settings = {
  certificates: [],
  keys: [],
  ciphers: '',
  verify: '',
  crl: '',
  dhparam: '',
  dhMaxBits: 2236,
  curves: '',
  options: '',
  ticketKey: '',
}

test('the prime of Diffie-Hellman parameters is measured, and tls_dh_max_bits leaves larger ones out', {
  skip,
}, () => {
  ca?.openssl('dhparam', '-dsaparam', '-out', 'dh.pem', '1024')
  assert.equal(diffieHellmanBits(readFileSync(at('dh.pem'))), 1024)
  assert.equal(diffieHellmanBits(readFileSync(at('ca.pem'))), undefined)
  const contexts = createTlsContexts()
  // OpenSSL refuses so short a prime; left out, it is not asked.
  assert.equal(contexts.get({ ...settings, dhparam: at('dh.pem'), dhMaxBits: 1000 }).is, 'ready')
  const wrong = contexts.get({ ...settings, dhparam: at('ca.pem') })
  assert.ok(wrong.is === 'failed' && /holds no DH PARAMETERS/.test(wrong.why))
})

test('a certificate file: the first certificate, and its issuer where the chain has it', { skip }, () => {
  ca?.leaf('own.example')
  const chain = ownCertificate(readFileSync(at('own.example.chain')))
  assert.equal(chain?.keyType, 'ecdsa')
  assert.ok(chain?.issuer !== undefined)
  assert.equal(ownCertificate(readFileSync(at('own.example.pem')))?.issuer, undefined)
  // One that signed itself is its own issuer.
  const root = ownCertificate(readFileSync(at('ca.pem')))
  assert.ok(root?.issuer?.equals(root.leaf))
  assert.equal(ownCertificate(readFileSync(at('own.example.key'))), undefined)
})

test('the authorities of the system are trusted without being read anew each time', { skip }, () => {
  const contexts = createTlsContexts()
  const first = contexts.get({ ...settings, verify: 'system' })
  assert.equal(first.is, 'ready')
  assert.equal(contexts.get({ ...settings, verify: 'system' }), first)
  assert.notEqual(contexts.get({ ...settings, verify: 'system', ciphers: 'HIGH' }), first)
})
