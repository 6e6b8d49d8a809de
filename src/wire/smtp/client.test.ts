import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireEncoder } from './client-data.ts'
import { ReplyReader } from './client-reply.ts'
import { readOffers } from './client.ts'

const replies: readonly { says: string; bytes: string; replies: readonly string[]; malformed?: boolean }[] = [
  { says: 'one line', bytes: '250 ok\r\n', replies: ['250 ok'] },
  { says: 'LF alone ends a line too', bytes: '250 ok\n', replies: ['250 ok'] },
  { says: 'several lines', bytes: '250-a\r\n250-b\r\n250 c\r\n', replies: ['250-a\n250-b\n250 c'] },
  { says: 'several replies', bytes: '250 a\r\n550 b\r\n354 c\r\n', replies: ['250 a', '550 b', '354 c'] },
  { says: 'a code alone', bytes: '250\r\n', replies: ['250'] },
  { says: 'no reply at all', bytes: 'hello\r\n', replies: ['hello'], malformed: true },
  { says: 'a code that is none', bytes: '999 x\r\n', replies: ['999 x'], malformed: true },
]
for (const c of replies) {
  void test(`reply: ${c.says}, however it is cut`, () => {
    for (let size = 1; size <= c.bytes.length; size++) {
      const reader = new ReplyReader()
      for (let at = 0; at < c.bytes.length; at += size) reader.push(c.bytes.slice(at, at + size))
      assert.deepEqual(
        reader.replies.map(({ text }) => text),
        c.replies,
      )
      assert.equal(reader.malformed, c.malformed ?? false)
    }
  })
}

void test('reply: a line without end is cut off', () => {
  const reader = new ReplyReader()
  for (let i = 0; i < 100; i++) reader.push('x'.repeat(1000))
  assert.equal(reader.malformed, true)
})

const bodies: readonly { says: string; text: string; wire: string }[] = [
  { says: 'LF becomes CRLF', text: 'a\nb\n', wire: 'a\r\nb\r\n.\r\n' },
  { says: 'a leading dot is doubled', text: '.a\n..\nb.\n', wire: '..a\r\n...\r\nb.\r\n.\r\n' },
  { says: 'a missing line end is added', text: 'a', wire: 'a\r\n.\r\n' },
  { says: 'CRLF stays one line end', text: 'a\r\n.b\r\n', wire: 'a\r\n..b\r\n.\r\n' },
  { says: 'CR alone becomes a line end', text: 'a\rb\r.\r', wire: 'a\r\nb\r\n..\r\n.\r\n' },
  {
    says: 'the end of data inside stays inside',
    text: 'a\r\n.\r\nb\n.\nc',
    wire: 'a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n',
  },
  { says: 'LF CR', text: 'a\n\rb', wire: 'a\r\n\r\nb\r\n.\r\n' },
  { says: 'nothing', text: '', wire: '.\r\n' },
]
for (const c of bodies) {
  void test(`data: ${c.says}, however it is cut`, () => {
    for (let size = 1; size <= c.text.length + 1; size++) {
      const encoder = new WireEncoder(true)
      let out = ''
      for (let at = 0; at < c.text.length; at += size) {
        out += encoder.encode(Buffer.from(c.text.slice(at, at + size), 'latin1')).toString('latin1')
      }
      out += encoder.finish()
      assert.equal(out, c.wire)
      assert.equal(encoder.bytes, c.wire.length)
    }
  })
}

void test('offers: read without regard to case and place', () => {
  const offers = readOffers(
    '250-host hello\n250-pipelining\n250-SIZE 1000\n250-AUTH PLAIN LOGIN\n250-AUTH=CRAM-MD5\n250 8BITMIME',
  )
  assert.equal(offers.pipelining && offers.size && offers.eightBitMime, true)
  assert.equal(offers.sizeLimit, 1000)
  assert.deepEqual(offers.auth, ['PLAIN', 'LOGIN', 'CRAM-MD5'])
  assert.equal(offers.chunking || offers.starttls || offers.dsn, false)
})
