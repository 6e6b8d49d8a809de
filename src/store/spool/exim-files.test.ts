import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { headerFileOf } from './exim-files.ts'
import { parseHeaderFile } from './read-exim-files.ts'

/** Written by Exim 4.96 for `-odq`, with the trusted options that set where a message came from. */
const good = `1xVgtD-0003n0-0l-H
root 0 0
<>
1795489695 2
-received_time_usec .238000
-received_time_complete 1795489695.239000
--helo_name client.test
-host_address [192.0.2.7]:1234
--host_name client.example
-host_auth auth1
-interface_address [192.0.2.1]:25
--ident ident1
-received_protocol esmtpa
-aclc _foo 21
connvar with
 newline
--aclm _bar 11
s@b.example
-body_linecount 1
-max_received_linelength 17
--auth_id authid
--auth_sender s@x
-allow_unqualified_recipient
-deliver_firsttime
-frozen 1795489700
-tls_certificate_verified
-tls_cipher TLS1.3:TLS_AES_256_GCM_SHA384:256
--tls_peercert -----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n
--tls_peerdn CN=client.test
-tls_ver TLS1.3
-smtputf8
-dsn_envid a+2Bc
-dsn_ret 2
-tls_resumption A
YY q@test.example
YN p@test.example
NN aa@test.example
NN r@test.example
5
p@test.example rfc822;p@test.example 21,12  0,-1#3
q@test.example  0,2  0,-1#3
list@test.example
b@test.example owner@test.example 18,2#1
a@test.example  0,0 owner@test.example 18,2#3

064P Received: from client.example
\tby mail.test.example with esmtpa
018F From: a@b.example
009* Bcc: x@y
`

test('a -H file of Exim gives an envelope, and the same file again', () => {
  const envelope = parseHeaderFile(good)
  assert.ok(typeof envelope === 'object')
  assert.equal(envelope.receivedAt, 1_795_489_695_238)
  assert.equal(envelope.receiveMs, 1)
  assert.equal(envelope.warningCount, 2)
  assert.equal(envelope.frozenAt, 1_795_489_700_000)
  assert.deepEqual(envelope.host, {
    address: '192.0.2.7',
    port: 1234,
    name: 'client.example',
    helo: 'client.test',
    ident: 'ident1',
    authenticated: 'auth1',
    interfaceAddress: '192.0.2.1',
    interfacePort: 25,
    tlsCertificateVerified: true,
    tlsCipher: 'TLS1.3:TLS_AES_256_GCM_SHA384:256',
    tlsPeerCertificate: 'MIIB',
    tlsPeerDn: 'CN=client.test',
    tlsVersion: 'TLS1.3',
  })
  assert.deepEqual(envelope.aclVariables, {
    c_foo: { text: 'connvar with\n newline' },
    m_bar: { text: 's@b.example', taintedBy: 'spool' },
  })
  assert.deepEqual(envelope.done, ['q@test.example', 'p@test.example', 'aa@test.example', 'r@test.example'])
  assert.deepEqual(envelope.recipients, [
    { address: 'p@test.example', dsn: { notify: ['success', 'failure'], orcpt: 'rfc822;p@test.example' } },
    { address: 'q@test.example', dsn: { notify: ['never'], orcpt: undefined } },
    { address: 'list@test.example' },
    { address: 'b@test.example', errorsTo: 'owner@test.example', parent: 2 },
    {
      address: 'a@test.example',
      dsn: { notify: [], orcpt: undefined },
      errorsTo: 'owner@test.example',
      parent: 2,
    },
  ])
  assert.deepEqual(
    envelope.headers.map(({ type }) => type),
    ['P', 'F', '*'],
  )
  assert.equal(headerFileOf(envelope), good)
})

const wrong = [
  { says: 'an empty file', text: '', why: /first line/ },
  { says: 'a file that ends early', text: good.slice(0, 40), why: /envelope/ },
  { says: 'a tree that ends early', text: good.replace('NN r@test.example\n', ''), why: /non-recipients/ },
  { says: 'a number of recipients that is wrong', text: good.replace('\n5\n', '\n6\n'), why: /recipients/ },
  { says: 'a header that is longer than the file', text: good.replace('064P', '999P'), why: /headers/ },
  {
    says: 'an ACL variable that is longer than the file',
    text: good.replace('_foo 21', '_foo 99999'),
    why: /c.*_foo/,
  },
]
for (const { says, text, why } of wrong) {
  test(`${says} is refused with a reason`, () => {
    const problem = parseHeaderFile(text)
    assert.match(typeof problem === 'string' ? problem : 'none', why)
  })
}

test('a tree of any size is written so that it can be read', () => {
  const envelope = parseHeaderFile(good)
  assert.ok(typeof envelope === 'object')
  for (const size of [0, 1, 2, 3, 4, 7, 100, 1000]) {
    const done = Array.from({ length: size }, (_, i) => `user${i}@example.org`)
    const again = parseHeaderFile(headerFileOf({ ...envelope, done }))
    assert.ok(typeof again === 'object')
    assert.deepEqual([...again.done].sort(), done.sort())
  }
})

test('a damaged -H file gives an envelope or a sentence, never an exception', () => {
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.string({ maxLength: 20 }), fc.nat(40), (at, text, length) => {
      const result = parseHeaderFile(good.slice(0, at) + text + good.slice(at + length))
      assert.ok(typeof result === 'string' || typeof headerFileOf(result) === 'string')
    }),
  )
})
