import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDmarcRecord, parseRecord, reportUris } from './record.ts'

test('P8 values that are none act as absent', () => {
  const record = parseRecord('v=DMARC1; p=reject; adkim=x; aspf=; t=q; psd=z; fo=9', 'rfc9989')
  assert.deepEqual(
    [record.p, record.adkim, record.aspf, record.testing, record.psd, record.fo],
    ['reject', 'r', 'r', false, 'u', ['0']],
  )
})

test('P11 a size is read, schemes are told apart', () => {
  const record = parseRecord('v=DMARC1;p=none; rua=mailto:a@example.com!10m,https://x.test/r', 'rfc7489')
  assert.deepEqual(
    record.rua.map(({ scheme, address, maxBytes }) => [scheme, address, maxBytes]),
    [
      ['mailto', 'a@example.com', 10 * 1024 * 1024],
      ['https', undefined, undefined],
    ],
  )
})

test('P12 an address without scheme is no URI', () => {
  assert.deepEqual(reportUris('d@example.com'), [])
})

const records: readonly [text: string, is: boolean][] = [
  ['v=DMARC1', true],
  ['v=DMARC1;', true],
  ['V=DMARC1; p=none', true],
  ['v\t= DMARC1\t;p=none', true],
  ['v=DMARC1 p=none', false],
  ['v=DMARC12; p=none', false],
  [' v=DMARC1; p=none', false],
  ['v=dmarc1; p=none', false],
  ['', false],
]
for (const [text, is] of records) {
  test(`${JSON.stringify(text)} is ${is ? 'a' : 'no'} record`, () => assert.equal(isDmarcRecord(text), is))
}

const uris: readonly [text: string, addresses: readonly string[]][] = [
  ['mailto:a@b.test', ['a@b.test']],
  [' mailto:a@b.test , mailto:c@d.test ', ['a@b.test', 'c@d.test']],
  ['MAILTO:a@b.test', ['a@b.test']],
  ['mailto:a%21b@c.test', ['a!b@c.test']],
  ['mailto:a@b.test?subject=x', ['a@b.test']],
  ['mailto:', []],
  ['mailto:a', []],
  ['mailto:a@b@c', []],
  ['mailto:a%0d%0aBcc:x@b.test', []],
  ['mailto:a b@c.test', []],
  ['mailto:%zz@c.test', []],
  ['mailto:<a@b.test>', []],
  [`mailto:${'x'.repeat(65)}@b.test`, []],
]
for (const [text, addresses] of uris) {
  test(`report addresses in ${JSON.stringify(text)}`, () =>
    assert.deepEqual(
      reportUris(text).map(({ address }) => address),
      addresses,
    ))
}

const options: readonly [fo: string, read: readonly string[]][] = [
  ['1', ['1']],
  ['1:d:s', ['1', 'd', 's']],
  ['D', ['d']],
  ['0:1', ['0']],
  ['d:d', ['0']],
  ['1: d', ['0']],
]
for (const [fo, read] of options) {
  test(`fo=${fo}`, () => assert.deepEqual(parseRecord(`v=DMARC1;p=none;fo=${fo}`, 'rfc9989').fo, read))
}

test('a record of 64 KB and one of thousands of tags are read at once', () => {
  const started = performance.now()
  parseRecord(`v=DMARC1; p=none; ${'x'.repeat(65_000)}`, 'rfc9989')
  parseRecord(`v=DMARC1; p=none; ${'a=b;'.repeat(15_000)}`, 'rfc9989')
  parseRecord(`v=DMARC1; p=none; rua=${'mailto:a@b.test,'.repeat(4000)}`, 'rfc9989')
  assert.ok(performance.now() - started < 1000)
})
