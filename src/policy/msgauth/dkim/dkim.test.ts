/** DKIM verification: the examples of the RFCs, and a table of good, bad and hostile signatures. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  ed25519Key,
  type OddSignature,
  pushInPieces,
  rsaKey,
  signOddly,
  type TestKey,
  txtDns,
  type TxtZone,
  verifyMessage,
  wireParts,
} from '../../../../test/support/dkim-world.ts'
import { dkimResult } from '../../../mail/dkim-facts.ts'
import { BodyHashes } from './body-hash.ts'
import { relaxedHeader, simpleHeader } from './headers.ts'
import { parseTags } from './tags.ts'

const crlf = (text: string): string => text.replaceAll('\n', '\r\n')

const game = `From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`

test('RFC 8463 appendix A: both signatures of the example verify', async () => {
  const message = crlf(`DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
${game}`)
  const zone = {
    'brisbane._domainkey.football.example.com':
      'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
    'test._domainkey.football.example.com':
      'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
  }
  const { signatures } = await verifyMessage(message, zone)
  assert.deepEqual(
    signatures.map(({ status, algorithm, coversFrom, detail }) => [status, algorithm, coversFrom, detail]),
    [
      ['pass', 'ed25519-sha256', true, ''],
      ['pass', 'rsa-sha256', true, ''],
    ],
  )
})

test('RFC 6376 appendix A: the example verifies', async () => {
  const message = crlf(`DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
${game.replace('game.  Are', 'game. Are')}`)
  const zone = {
    'brisbane._domainkey.example.com':
      'v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB',
  }
  const { signatures } = await verifyMessage(message, zone)
  assert.deepEqual([signatures[0]?.detail, signatures[0]?.status], ['', 'pass'])
})

test('RFC 6376 section 3.4.5: canonical headers and bodies of the examples', () => {
  const [a, b] = ['A: X\n', 'B : Y\t\n\tZ  \n']
  assert.equal(relaxedHeader(a), 'a:X')
  assert.equal(relaxedHeader(b), 'b:Y Z')
  assert.equal(simpleHeader(b), 'B : Y\t\r\n\tZ  ')
  for (const spaces of [' ', '\t', ' \n\t', '']) {
    const words = Array.from({ length: 3000 }, (_, i) => `w${i}`)
    assert.equal(relaxedHeader(`X:${spaces}${words.join(` ${spaces}`)}${spaces}\n`), `x:${words.join(' ')}`)
  }
  const body = ' C \nD \t E\n\n\n'
  const wanted = { relaxed: ' C\r\nD E\r\n', simple: ' C \r\nD \t E\r\n' }
  for (const [name, text] of Object.entries(wanted)) {
    const hashes = new BodyHashes()
    const hash = hashes.want(name === 'simple' ? 'simple' : 'relaxed', 'sha256')
    hashes.push(Buffer.from(body))
    hashes.finish()
    assert.equal(hash.digest?.toString('hex'), createHash('sha256').update(text).digest('hex'), name)
    assert.equal(hash.bodyLength, text.length)
  }
})

test('RFC 6376 sections 3.4.3 and 3.4.4: empty bodies', () => {
  for (const body of ['', '\n', '\n\n\n', '\n'.repeat(20_000)]) {
    const hashes = new BodyHashes()
    const [simple, relaxed] = [hashes.want('simple', 'sha256'), hashes.want('relaxed', 'sha256')]
    hashes.push(Buffer.from(body))
    hashes.finish()
    assert.equal(simple.digest?.toString('base64'), 'frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=')
    assert.equal(relaxed.digest?.toString('base64'), '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=')
  }
})

test('bodies cut anywhere have the same hashes, also for each l=', () => {
  const alphabet = ['\n', '\n', ' ', '\t', 'a', 'bc', '\xe9', '\n\n\n\n', ' \n', 'x'.repeat(50)]
  let seed = 7
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
  const long = `${'\n'.repeat(5000)}a${'\n'.repeat(9000)}`
  const texts = Array.from({ length: 120 }, () =>
    Array.from({ length: random(60) }, () => alphabet[random(alphabet.length)] ?? '').join(''),
  )
  for (const text of [long, `${long}b\n`, ...texts]) {
    const relaxed = text
      .replace(/[ \t]+(?=\n)/g, '')
      .replace(/[ \t]+/g, ' ')
      .replace(/ $/, '')
      .replace(/\n+$/, '')
    const canonical = {
      relaxed: relaxed === '' ? '' : `${relaxed}\n`.replaceAll('\n', '\r\n'),
      simple: `${text.replace(/\n+$/, '')}\n`.replaceAll('\n', '\r\n'),
    }
    for (const canon of ['relaxed', 'simple'] as const) {
      const whole = canonical[canon]
      const limits = [-1, 0, 1, whole.length - 1, whole.length, whole.length + 1, random(whole.length + 1)]
      const hashes = new BodyHashes()
      const wanted = limits.map((limit) => hashes.want(canon, 'sha256', Math.max(limit, -1)))
      pushInPieces(hashes, Buffer.from(text, 'latin1'), [], 1 + random(40))
      hashes.finish()
      for (const [i, limit] of limits.entries()) {
        const part = limit < 0 ? whole : limit > whole.length ? undefined : whole.slice(0, limit)
        assert.equal(
          wanted[i]?.digest?.toString('hex'),
          part === undefined ? undefined : createHash('sha256').update(part, 'latin1').digest('hex'),
          `${canon} l=${limit} of ${JSON.stringify(text.slice(0, 80))}`,
        )
      }
    }
  }
})

const rsa = rsaKey()
const ed = ed25519Key()
const short = rsaKey(768)
const plain = crlf(`From: A <a@example.test>
To: b@here.test
Subject: hello  there
Date: Thu, 1 Jan 2026 00:00:00 +0000

Hello  World 

bye

`)
const zone: TxtZone = {
  'sel._domainkey.example.test': `v=DKIM1; k=rsa; p=${rsa.data}`,
  'ed._domainkey.example.test': `v=DKIM1; k=ed25519; p=${ed.data}`,
  'wrapped._domainkey.example.test': `k=ed25519; p=${Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(ed.data, 'base64')]).toString('base64')}`,
  'short._domainkey.example.test': `p=${short.data}`,
  'revoked._domainkey.example.test': 'v=DKIM1; p=',
  'broken._domainkey.example.test': 'v=DKIM1; p=AAAA',
  'late._domainkey.example.test': 'again',
  'strict._domainkey.example.test': `v=DKIM1; t=y:s; n=a=20note; g=a*; s=email; h=sha256; p=${rsa.data}`,
  'v2._domainkey.example.test': `v=DKIM2; p=${rsa.data}`,
  'vlast._domainkey.example.test': `p=${rsa.data}; v=DKIM1`,
  'sha1._domainkey.example.test': `h=sha1; p=${rsa.data}`,
  'other._domainkey.example.test': `s=tlsrpt; p=${rsa.data}`,
  'odd._domainkey.example.test': `k=dsa; p=${rsa.data}`,
  'two._domainkey.example.test': ['v=DKIM1; p=AAAA', `v=DKIM1; p=${rsa.data}`],
  'long._domainkey.example.test': `v=DKIM1; n=${'x'.repeat(70_000)}; p=${rsa.data}`,
  'many._domainkey.example.test': Array.from({ length: 400 }, () => 'v=DKIM1; p=AAAA'),
}
const now = 1_800_000_000

interface Row {
  readonly says: string
  readonly odd?: OddSignature
  readonly key?: TestKey
  readonly change?: (message: string) => string
  readonly message?: string
  readonly is: string
}

const rows: readonly Row[] = [
  { says: 'a good signature passes', is: 'pass pass' },
  { says: 'simple canonicalisation', odd: { c: 'simple/simple' }, is: 'pass pass' },
  { says: 'relaxed headers, simple body', odd: { c: 'relaxed/simple' }, is: 'pass pass' },
  { says: 'simple headers, relaxed body', odd: { c: 'simple/relaxed' }, is: 'pass pass' },
  {
    says: 'c= left out is simple/simple',
    odd: { c: 'simple/simple', tags: { c: undefined } },
    is: 'pass pass',
  },
  {
    says: 'c= of one word speaks of the headers',
    odd: { c: 'relaxed/simple', tags: { c: 'relaxed' } },
    is: 'pass pass',
  },
  { says: 'Ed25519', odd: { a: 'ed25519-sha256', s: 'ed' }, key: ed, is: 'pass pass' },
  {
    says: 'Ed25519, key wrapped as in a draft',
    odd: { a: 'ed25519-sha256', s: 'wrapped' },
    key: ed,
    is: 'pass pass',
  },
  { says: 'SHA-512', odd: { a: 'rsa-sha512' }, is: 'pass pass' },
  {
    says: 'white space changed within a line is no change to relaxed',
    change: (m) => m.replace('hello  there', 'hello there'),
    is: 'pass pass',
  },
  {
    says: 'a body that was changed',
    change: (m) => m.replace('bye', 'bya'),
    is: 'fail fail bodyhash_mismatch',
  },
  { says: 'a body with more at its end', change: (m) => `${m}more\r\n`, is: 'fail fail bodyhash_mismatch' },
  {
    says: 'a header that was changed',
    change: (m) => m.replace('hello', 'hullo'),
    is: 'fail fail signature_incorrect',
  },
  {
    says: 'text after what l= covers passes',
    odd: { tags: { l: '5' } },
    change: (m) => `${m}more\r\n`,
    is: 'pass pass',
  },
  { says: 'l= of more than there is', odd: { tags: { l: '10000' } }, is: 'invalid neutral' },
  { says: 'l= of no number', odd: { tags: { l: '-1' } }, is: 'invalid neutral' },
  { says: 'l= of 76 digits', odd: { tags: { l: '9'.repeat(76) } }, is: 'invalid neutral' },
  {
    says: 'a bare LF is no line end',
    change: (m) => m.replace('World \r\n', 'World \n'),
    is: 'fail fail bodyhash_mismatch',
  },
  {
    says: 'a bare CR is no line end',
    change: (m) => m.replace('World \r\n', 'World \r'),
    is: 'fail fail bodyhash_mismatch',
  },
  {
    says: 'a bare LF that was signed as a byte passes',
    message: plain.replace('World', 'Wo\nrld'),
    is: 'pass pass',
  },
  { says: 'no key', odd: { s: 'missing' }, is: 'invalid permerror pubkey_unavailable' },
  { says: 'a DNS that does not answer', odd: { s: 'late' }, is: 'invalid temperror pubkey_unavailable' },
  { says: 'a key that was taken back', odd: { s: 'revoked' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a key that is none', odd: { s: 'broken' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a record of another version', odd: { s: 'v2' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a version that is not first', odd: { s: 'vlast' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a key not for mail', odd: { s: 'other' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a key of an unknown type', odd: { s: 'odd' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a key of another type than a= says', odd: { s: 'ed' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'a key for another hash', odd: { s: 'sha1' }, is: 'fail fail' },
  { says: 'a key that is too short', odd: { s: 'short' }, key: short, is: 'fail fail pubkey_too_short' },
  { says: 'the first of two records that is a key counts', odd: { s: 'two' }, is: 'pass pass' },
  { says: 'a record of 70 KB is not read', odd: { s: 'long' }, is: 'invalid permerror pubkey_syntax' },
  { says: 'hundreds of records', odd: { s: 'many' }, is: 'invalid permerror pubkey_syntax' },
  {
    says: 'an expired signature',
    odd: { tags: { t: `${now - 100}`, x: `${now - 10}` } },
    is: 'invalid permerror',
  },
  { says: 'one that is still good', odd: { tags: { t: `${now - 100}`, x: `${now + 10}` } }, is: 'pass pass' },
  {
    says: 'expiry before creation',
    odd: { tags: { t: `${now + 100}`, x: `${now + 10}` } },
    is: 'invalid neutral',
  },
  { says: 'From: not signed', odd: { h: 'to:subject' }, is: 'invalid permerror' },
  { says: 'an identity below the domain', odd: { tags: { i: 'x@sub.Example.test' } }, is: 'pass pass' },
  { says: 'an identity of another domain', odd: { tags: { i: 'x@other.test' } }, is: 'invalid neutral' },
  {
    says: 'an identity that only ends alike',
    odd: { tags: { i: 'x@badexample.test' } },
    is: 'invalid neutral',
  },
  {
    says: 't=s allows the very domain',
    odd: { s: 'strict', tags: { i: 'x@example.test' } },
    is: 'pass pass',
  },
  {
    says: 't=s forbids an identity below',
    odd: { s: 'strict', tags: { i: 'x@sub.example.test' } },
    is: 'invalid permerror',
  },
  { says: 'v= missing', odd: { tags: { v: undefined } }, is: 'invalid neutral' },
  { says: 'v=2', odd: { tags: { v: '2' } }, is: 'invalid neutral' },
  { says: 'd= missing', odd: { tags: { d: undefined } }, is: 'invalid neutral' },
  { says: 'd= of one label', odd: { tags: { d: 'test' } }, is: 'invalid neutral' },
  { says: 's= missing', odd: { tags: { s: undefined } }, is: 'invalid neutral' },
  { says: 's= that leaves its place in the DNS', odd: { tags: { s: 'a..b' } }, is: 'invalid neutral' },
  { says: 'h= missing', odd: { tags: { h: undefined } }, is: 'invalid neutral' },
  { says: 'bh= missing', odd: { tags: { bh: undefined } }, is: 'invalid neutral' },
  { says: 'a tag twice', odd: { more: 's=sel' }, is: 'invalid neutral' },
  { says: 'an unknown tag is passed over', odd: { more: 'zz=1' }, is: 'pass pass' },
  { says: 'q= without dns/txt', odd: { tags: { q: 'xxx' } }, is: 'invalid neutral' },
  { says: 'q= with dns/txt among others', odd: { tags: { q: 'xxx:dns/txt' } }, is: 'pass pass' },
  { says: 'an unknown canonicalisation', odd: { tags: { c: 'strict/relaxed' } }, is: 'invalid neutral' },
  { says: 'SHA-1 is passed over', odd: { a: 'rsa-sha1' }, is: 'nothing' },
  { says: 'an unknown algorithm is passed over', odd: { tags: { a: 'foo-bar' } }, is: 'nothing' },
  {
    says: 'a header of 100 KB is not read',
    odd: { more: `z=${'x'.repeat(100_000)}` },
    is: 'invalid neutral',
  },
  { says: 'a tag of spaces is read in no time', odd: { more: `z=a${' '.repeat(50_000)}b` }, is: 'pass pass' },
  { says: 'thousands of names in h=', odd: { h: `from:${'x:'.repeat(5000)}y` }, is: 'invalid neutral' },
  { says: 'a name in UTF-8', odd: { tags: { i: 'gr\xc3\xbc\xc3\xa0@example.test' } }, is: 'pass pass' },
  { says: 'an empty body', message: 'From: a@example.test\r\n\r\n', is: 'pass pass' },
]

for (const row of rows) {
  test(`DKIM: ${row.says}`, async () => {
    const signed = signOddly(row.message ?? plain, row.key ?? rsa, row.odd)
    const message = row.change?.(signed) ?? signed
    const started = performance.now()
    const { signatures } = await verifyMessage(message, zone, { now: now * 1000, piece: 7 })
    assert.ok(performance.now() - started < 1000)
    const found = signatures.map((one) => `${one.status} ${dkimResult(one)} ${one.reason}`.trim()).join(', ')
    assert.equal(found === '' ? 'nothing' : found, row.is, signatures[0]?.detail)
  })
}

test('DKIM: SHA-1 passes only where dkim_verify_hashes has it', async () => {
  const { signatures } = await verifyMessage(signOddly(plain, rsa, { a: 'rsa-sha1' }), zone, {
    hashes: ['sha1'],
  })
  assert.equal(signatures[0]?.status, 'pass')
})

test('DKIM: a second From: is not covered by a signature over one, though it passes', async () => {
  const signed = signOddly(plain, rsa)
  const more = signed.replace('From: A', 'From: evil@other.test\r\nFrom: A')
  const facts = await verifyMessage(more, zone)
  assert.deepEqual([facts.signatures[0]?.status, facts.signatures[0]?.coversFrom], ['pass', false])
  const oversigned = signOddly(plain, rsa, { h: 'from:from:to' })
  const broken = await verifyMessage(oversigned.replace('From: A', 'From: evil@other.test\r\nFrom: A'), zone)
  assert.equal(broken.signatures[0]?.reason, 'signature_incorrect')
})

test('DKIM: key facts are those of the record', async () => {
  const { signatures } = await verifyMessage(signOddly(plain, rsa, { s: 'strict' }), zone)
  assert.deepEqual(signatures[0]?.key, {
    bits: 1024,
    testing: true,
    noSubdomains: true,
    serviceType: 'email',
    granularity: 'a*',
    notes: 'a note',
  })
})

test('DKIM: of hundreds of signatures twenty are looked at, each key is asked for once', async () => {
  let message = plain
  for (let i = 0; i < 40; i++) message = signOddly(message, rsa, { tags: { l: String(i) } })
  const head = message.slice(0, message.indexOf('From:'))
  const dns = txtDns(zone)
  const started = performance.now()
  const facts = await verifyMessage(head.repeat(8) + message.slice(head.length), dns)
  assert.ok(performance.now() - started < 2000)
  assert.equal(facts.signatures.length, 20)
  assert.equal(facts.ignored, 300)
  assert.deepEqual(dns.asked, ['sel._domainkey.example.test'])
})

test('DKIM: twenty signatures over a header of 900 KB leave room for others', async () => {
  for (const c of ['simple/simple', 'relaxed/relaxed']) {
    let message = plain.replace('Subject:', `X-Big: ${'x '.repeat(450_000)}\r\nSubject:`)
    for (let i = 0; i < 20; i++) message = signOddly(message, rsa, { h: 'from:x-big:subject', c })
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    const { signatures } = await verifyMessage(message, zone)
    clearInterval(timer)
    assert.equal(signatures.filter(({ status }) => status === 'pass').length, 20)
    assert.ok(turns >= 10, String(turns))
  }
})

test('DKIM: with dkim_verify_minimal the first pass is the last check', async () => {
  const message = signOddly(signOddly(plain, ed, { a: 'ed25519-sha256', s: 'ed' }), rsa)
  const dns = txtDns(zone)
  const facts = await verifyMessage(message, dns, { minimal: true })
  // ed25519 comes first in dkim_verify_keytypes.
  assert.deepEqual(
    facts.signatures.map(({ selector, status }) => [selector, status]),
    [['ed', 'pass']],
  )
  assert.deepEqual(dns.asked, ['ed._domainkey.example.test'])
})

test('DKIM: keys with an exponent of 1 or of thousands of bits, and of too many bits, are refused', async () => {
  const der = (bytes: Buffer): Buffer => {
    const head = bytes.length < 128 ? [bytes.length] : [0x82, bytes.length >> 8, bytes.length & 255]
    return Buffer.concat([Buffer.from(head), bytes])
  }
  const integer = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2]), der(bytes)])
  const modulus = (bits: number): Buffer => Buffer.concat([Buffer.from([0]), Buffer.alloc(bits / 8, 0xff)])
  const publicKey = (bits: number, exponent: Buffer): string =>
    Buffer.concat([
      Buffer.from([0x30]),
      der(Buffer.concat([integer(modulus(bits)), integer(exponent)])),
    ]).toString('base64')
  const hostile: TxtZone = {
    'one._domainkey.example.test': `p=${publicKey(1024, Buffer.from([1]))}`,
    'huge._domainkey.example.test': `p=${publicKey(2048, Buffer.alloc(255, 0x7f))}`,
    'wide._domainkey.example.test': `p=${publicKey(16_384, Buffer.from([1, 0, 1]))}`,
  }
  for (const s of ['one', 'huge', 'wide']) {
    const started = performance.now()
    const { signatures } = await verifyMessage(signOddly(plain, rsa, { s }), hostile)
    assert.equal(signatures[0]?.reason, 'pubkey_syntax', s)
    assert.ok(performance.now() - started < 500)
  }
})

test('DKIM: random bytes in the place of tags do no harm', async () => {
  let seed = 11
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
  const pieces = [
    'v=1',
    'a=rsa-sha256',
    ';',
    '=',
    ' ',
    '\r\n ',
    'b=',
    'bh=',
    'h=from',
    'l=',
    'd=example.test',
    '\x00',
    '\xff',
    '%',
    's=sel',
    'i=@',
    'x=',
    ':',
  ]
  for (let i = 0; i < 500; i++) {
    const value = Array.from({ length: random(30) }, () => pieces[random(pieces.length)] ?? '').join('')
    await verifyMessage(`DKIM-Signature: ${value}\r\n${plain}`, zone)
  }
})

test('tag lists: what RFC 6376 section 3.2 allows and forbids', () => {
  for (const text of ['a=1', ' a = 1 ; b=2; ', 'a=', 'a=b=c', 'A_1=x'])
    assert.equal(parseTags(text).fault, undefined, text)
  for (const text of ['', ';', 'a=1;;b=2', '1a=2', 'a', 'a=1; a=2', '=x', 'a=\x01']) {
    assert.notEqual(parseTags(text).fault, undefined, text)
  }
})

test('the parts of a message on the wire are told apart', () => {
  assert.deepEqual(wireParts('A: b\r\n\r\nx\ny\r\n').bare, [2])
})
