/** Random bytes, cut at random places, into the reader of PROXY headers. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { unread } from '../../../test/support/proxy-headers.ts'
import { parseProxyHeader } from './header.ts'
import { readProxyHeader } from './read-header.ts'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const fromBytes = (bytes: Uint8Array): Buffer => Buffer.from(bytes)

/** Bytes that get past the first look, and bytes that do not. */
const input = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map(fromBytes) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom(0x20, 0x21, 0x11, 0x2f),
        fc.constantFrom(0, 0x11, 0x21, 0x31, 0x12, 0xff),
        fc.uint8Array({ maxLength: 300 }),
        fc.option(fc.integer({ min: 0, max: 400 })),
      )
      .map(([command, family, rest, length]) => {
        const size = length ?? rest.length
        return Buffer.concat([signature, Buffer.from([command, family, size >> 8, size & 255]), rest])
      }),
  },
  {
    weight: 4,
    arbitrary: fc
      .array(
        fc.constantFrom(
          'TCP4',
          'TCP6',
          'UNKNOWN',
          ' ',
          '192.0.2.1',
          '::1',
          '25',
          '0',
          '\r',
          '\n',
          '\r\n',
          'x',
        ),
        { maxLength: 30 },
      )
      .map((words) => Buffer.from(`PROXY ${words.join('')}`, 'latin1')),
  },
)

test('whatever comes, in whatever pieces: one verdict, and no byte is lost or made up', async () => {
  await fc.assert(
    fc.asyncProperty(
      input,
      fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 }),
      async (bytes, cuts) => {
        const whole = parseProxyHeader(bytes)
        const stream = new PassThrough()
        const reading = readProxyHeader(stream, 10_000)
        let at = 0
        for (const cut of cuts) {
          stream.write(bytes.subarray(at, at + cut))
          at += cut
        }
        stream.end(bytes.subarray(at))
        const result = await reading
        if (whole.is === 'more') return assert.equal(result.is, 'closed')
        if (result.is === 'closed') assert.fail('closed though there was a verdict')
        assert.equal(result.is, whole.is === 'header' ? 'header' : 'failed')
        if (result.is === 'header' && whole.is === 'header') assert.deepEqual(result.header, whole.header)
        const rest = Buffer.concat([result.rest, unread(stream)])
        // What follows a line that is too long is only known to be the end of what came.
        const after = whole.is === 'foreign' ? 0 : Math.min(whole.length, bytes.length)
        if (whole.is === 'invalid' && whole.why.startsWith('no end of line')) {
          assert.ok(bytes.subarray(107).equals(rest) || rest.length < bytes.length - 106)
        } else assert.deepEqual(rest, bytes.subarray(after))
      },
    ),
    { numRuns: 3000, interruptAfterTimeLimit: 2500, examples: [[Buffer.from('\r\0', 'latin1'), [1]]] },
  )
})
