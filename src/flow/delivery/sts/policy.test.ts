import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStsPolicy, stsAllows, stsRecordId } from './policy.ts'

const records = [
  {
    says: 'the record of RFC 8461 section 3.1',
    texts: ['v=STSv1; id=20160831085700Z;'],
    id: '20160831085700Z',
  },
  { says: 'without the last semicolon', texts: ['v=STSv1; id=1'], id: '1' },
  { says: 'other TXT records beside it', texts: ['v=spf1 -all', 'v=STSv1;id=a'], id: 'a' },
  { says: 'two records: no policy', texts: ['v=STSv1; id=1;', 'v=STSv1; id=2;'], id: undefined },
  { says: 'no id', texts: ['v=STSv1;'], id: undefined },
  { says: 'an id with other characters', texts: ['v=STSv1; id=a-b;'], id: undefined },
  { says: 'another version', texts: ['v=STSv2; id=1;'], id: undefined },
]
for (const { says, texts, id } of records)
  test(`MTA-STS record: ${says}`, () => assert.equal(stsRecordId(texts), id))

const good =
  'version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n'
test('the policy of RFC 8461 section 3.2', () => {
  assert.deepEqual(readStsPolicy(good), {
    mode: 'enforce',
    mx: ['mail.example.com', '*.example.net'],
    maxAgeSeconds: 604_800,
  })
  assert.deepEqual(readStsPolicy(good.replaceAll('\r\n', '\n')), readStsPolicy(good))
})
const broken = [
  { says: 'another version', text: good.replace('STSv1', 'STSv2'), problem: /version/ },
  { says: 'no mode', text: good.replace(/mode.*\r\n/, ''), problem: /mode/ },
  { says: 'an unknown mode', text: good.replace('enforce', 'strict'), problem: /mode/ },
  { says: 'no max_age', text: good.replace(/max_age.*\r\n/, ''), problem: /max_age/ },
  { says: 'a negative max_age', text: good.replace('604800', '-1'), problem: /max_age/ },
  { says: 'no mx', text: good.replace(/mx.*\r\n/g, ''), problem: /no mx/ },
  { says: 'a wild card in the middle', text: good.replace('*.example.net', 'a.*.net'), problem: /host name/ },
  { says: 'HTML', text: '<html>not here</html>', problem: /no field/ },
]
for (const { says, text, problem } of broken) {
  test(`MTA-STS policy: ${says}`, () => {
    const read = readStsPolicy(text)
    assert.ok('problem' in read)
    assert.match(read.problem, problem)
  })
}
test('mode none needs no mx', () => {
  assert.deepEqual(readStsPolicy('version: STSv1\nmode: none\nmax_age: 60\n'), {
    mode: 'none',
    mx: [],
    maxAgeSeconds: 60,
  })
})

const hosts: readonly (readonly [string, boolean])[] = [
  ['mail.example.com', true],
  ['MAIL.example.com.', true],
  ['a.example.net', true],
  ['a.b.example.net', false],
  ['example.net', false],
  ['mail.example.com.evil.example', false],
]
for (const [host, allowed] of hosts) {
  test(`RFC 8461 section 4.1: ${host} is ${allowed ? '' : 'not '}named by the policy`, () => {
    const policy = readStsPolicy(good)
    assert.ok(!('problem' in policy))
    assert.equal(stsAllows(policy, host), allowed)
  })
}
