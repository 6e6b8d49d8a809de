import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  encodeRecord,
  encodeSegmentHead,
  isDamage,
  readRecord,
  readSegmentHead,
  scanRecords,
  segmentHeadBytes,
  stampRecord,
} from './record.ts'

const stamp = Buffer.from('0123456789abcdef', 'hex')

function segment(bodies: readonly Uint8Array[]): Buffer {
  const records = bodies.map((body, i) => {
    const record = encodeRecord({
      type: 'message',
      id: `1xVgtD-0000000000${i % 10}-0000`,
      sequence: i,
      json: { text: 'é\u00ff', i },
      body,
    })
    stampRecord(record, stamp)
    return Buffer.concat([record.head, record.body ?? Buffer.alloc(0)])
  })
  return Buffer.concat([encodeSegmentHead(stamp), ...records])
}

const someBodies = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 })

test('what is written is read, in order', () => {
  fc.assert(
    fc.property(someBodies, (bodies) => {
      const read = [...scanRecords(segment(bodies), stamp)].map((item) => (isDamage(item) ? undefined : item))
      assert.deepEqual(
        read.map((item) => new Uint8Array(item?.body ?? [])),
        bodies,
      )
      assert.deepEqual(JSON.parse(String(read[0]?.json)), { text: 'é\u00ff', i: 0 })
    }),
  )
})

test('a changed byte costs at most the record it stands in, and none is read wrong', () => {
  fc.assert(
    fc.property(someBodies, fc.nat(), fc.integer({ min: 1, max: 255 }), (bodies, place, change) => {
      const bytes = segment(bodies)
      const at = segmentHeadBytes + (place % (bytes.length - segmentHeadBytes))
      bytes[at] = (bytes[at] ?? 0) ^ change
      const good = [...scanRecords(bytes, stamp)].flatMap((item) => (isDamage(item) ? [] : [item]))
      assert.ok(good.length >= bodies.length - 1)
      for (const { sequence, body } of good) assert.deepEqual(new Uint8Array(body), bodies[sequence])
    }),
  )
})

test('a segment cut anywhere gives the records before the cut', () => {
  fc.assert(
    fc.property(someBodies, fc.nat(), (bodies, place) => {
      const whole = segment(bodies)
      const cut = whole.subarray(0, segmentHeadBytes + (place % (whole.length - segmentHeadBytes + 1)))
      const good = [...scanRecords(cut, stamp)].filter((item) => !isDamage(item))
      const expected = [...scanRecords(whole, stamp)].filter(
        (item) => item.offset + item.length <= cut.length,
      )
      assert.equal(good.length, expected.length)
    }),
  )
})

test('random bytes are no records and no head', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (random) => {
      const bytes = Buffer.from(random)
      assert.deepEqual(
        [...scanRecords(bytes, stamp)].filter((item) => !isDamage(item)),
        [],
      )
      assert.equal(readSegmentHead(bytes), undefined)
    }),
  )
})

test('records of another life of the file are not read', () => {
  const bytes = segment([Buffer.from('old')])
  assert.equal(readRecord(bytes, segmentHeadBytes, Buffer.from('fedcba9876543210', 'hex')), 'none')
  assert.equal(readSegmentHead(encodeSegmentHead(Buffer.alloc(8))), 'free')
  assert.deepEqual(readSegmentHead(bytes), stamp)
})
