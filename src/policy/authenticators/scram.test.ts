/** SCRAM and CRAM-MD5 against the examples of their RFCs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeUtf8, encodeUtf8 } from '../../base/text.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { cramDigest } from './cram_md5.ts'
import { saslprep } from './saslprep.ts'
import {
  base64,
  clientProof,
  keysOf,
  proofHolds,
  readClientFinal,
  readClientFirst,
  readServerFirst,
  saltPassword,
  serverSignature,
} from './scram.ts'

test('CRAM-MD5: the example of RFC 2195', () => {
  const challenge = '<1896.697170952@postoffice.reston.mci.net>'
  assert.equal(cramDigest('tanstaaftanstaaf', challenge), 'b913a602c7eda7a495b4e6e7334d3890')
})

const examples = [
  {
    name: 'SCRAM-SHA-1: the example of RFC 5802 section 5',
    hash: 'sha1' as const,
    clientFirst: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
    serverFirst: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    clientFinal: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    serverFinal: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    name: 'SCRAM-SHA-256: the example of RFC 7677 section 3',
    hash: 'sha256' as const,
    clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    clientFinal:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
]

for (const { name, hash, clientFirst, serverFirst, clientFinal, serverFinal } of examples) {
  test(name, async () => {
    const first = readClientFirst(clientFirst)
    const salting = readServerFirst(serverFirst)
    const final = readClientFinal(clientFinal)
    assert.ok(first !== undefined && salting !== undefined && final !== undefined)
    assert.equal(first.user, 'user')
    assert.equal(final.binding, base64(first.header))
    assert.equal(final.nonce, salting.nonce)
    const salted = await saltPassword(hash, 'pencil', salting.salt, salting.iterations)
    assert.ok(salted)
    const message = `${first.bare},${serverFirst},${final.withoutProof}`
    assert.equal(base64(clientProof(hash, salted, message)), base64(final.proof))
    const keys = keysOf(hash, salted)
    assert.ok(proofHolds(hash, keys, message, final.proof))
    assert.ok(!proofHolds(hash, keys, `${message}x`, final.proof))
    assert.ok(!proofHolds(hash, keys, message, final.proof.subarray(1)))
    assert.equal(`v=${base64(serverSignature(hash, keys.serverKey, message))}`, serverFinal)
  })
}

test('SCRAM: names with commas and equals signs; what is malformed', () => {
  assert.equal(readClientFirst('n,a=b=2Cc,n=u=3Dv,r=abc')?.user, 'u=v')
  assert.equal(readClientFirst('n,a=b=2Cc,n=u=3Dv,r=abc')?.authorization, 'b,c')
  assert.equal(readClientFirst('y,,n=u,r=abc')?.header, 'y,,')
  for (const wrong of [
    '',
    'n,,',
    'p=tls-unique,,n=u,r=abc',
    'n,,n=,r=abc',
    'n,,n=u=2X,r=abc',
    'n,,n=u',
    'x,,n=u,r=a',
  ]) {
    assert.equal(readClientFirst(wrong), undefined, wrong)
  }
  for (const wrong of ['r=a,s=,i=4096', 'r=a,s=AAAA', 's=AAAA,i=1', 'r=a,s=AAAA,i=x', 'm=x,r=a,s=AAAA,i=1']) {
    assert.equal(readServerFirst(wrong), undefined, wrong)
  }
  for (const wrong of ['c=biws,r=a', 'c=biws,p=AAAA', 'r=a,p=AAAA', 'c=biws,r=a,p=', 'c=biws,r=a,p=!!']) {
    assert.equal(readClientFinal(wrong), undefined, wrong)
  }
})

test('base 64: strict, but for blanks between the letters', () => {
  for (const text of ['', 'a', 'ab', 'abc', '\0\xff', 'x'.repeat(1000)]) {
    assert.equal(decodeBase64(encodeBase64(text)), text)
  }
  assert.equal(decodeBase64('YW Jj'), 'abc')
  for (const wrong of ['!!!!', 'YWJ', '====', '=', '*', '* ', 'YWJj ', 'YWJj=', 'YQ==YQ==', 'YWJj\t']) {
    assert.equal(decodeBase64(wrong), undefined, wrong)
  }
})

/** RFC 4013 section 3, and what else a password may hold. */
const prepared: readonly (readonly [says: string, from: string, to: string | undefined])[] = [
  ['a soft hyphen is nothing', 'I\u00adX', 'IX'],
  ['ASCII stays', 'user', 'user'],
  ['case stays', 'USER', 'USER'],
  ['NFKC: feminine ordinal', '\u00aa', 'a'],
  ['NFKC: Roman nine', '\u2168', 'IX'],
  ['a control character is forbidden', '\u0007', undefined],
  ['text in both directions is forbidden', '\u0627\u0031', undefined],
  ['a space of another kind is a space', 'a\u00a0b', 'a b'],
  ['an umlaut in two ways is one', 'u\u0308', '\u00fc'],
]
for (const [says, from, to] of prepared) {
  test(`SASLprep: ${says}`, () => {
    const result = saslprep(encodeUtf8(from))
    assert.equal(result === undefined ? undefined : decodeUtf8(result), to)
  })
}

test('SCRAM: a password in either form of an umlaut is the same', async () => {
  const salt = Buffer.from('salt')
  const one = await saltPassword('sha256', encodeUtf8('gr\u00fcn'), salt, 4096)
  const two = await saltPassword('sha256', encodeUtf8('gru\u0308n'), salt, 4096)
  assert.ok(one !== undefined && two !== undefined && one.equals(two))
  assert.equal(await saltPassword('sha256', '\u0007', salt, 4096), undefined)
})
