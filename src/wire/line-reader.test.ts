import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ByteSource, type InputEnd, LineReader } from './line-reader.ts'

/** Gives out pieces, then the end. */
function source(pieces: readonly string[]): ByteSource {
  const left = pieces.map((piece) => Buffer.from(piece, 'latin1'))
  return {
    pull: (): Promise<Buffer | InputEnd> => Promise.resolve(left.shift() ?? 'closed'),
    take: () => undefined,
  }
}

test('lines come whole however they are cut', async () => {
  for (const pieces of [['a\r\nbc\r\n'], ['a\r', '\nb', 'c\r\n'], ['a', '\r\n', 'b', 'c', '\r', '\n']]) {
    const reader = new LineReader(source(pieces))
    assert.deepEqual(await reader.line(100, 1), { is: 'line', text: 'a', crlf: true })
    assert.deepEqual(await reader.line(100, 1), { is: 'line', text: 'bc', crlf: true })
    assert.deepEqual(await reader.line(100, 1), { is: 'end', why: 'closed', partial: '' })
  }
})

test('LF alone ends a line, and that is told', async () => {
  assert.deepEqual(await new LineReader(source(['a\n'])).line(100, 1), { is: 'line', text: 'a', crlf: false })
})

test('a line that is too long comes in parts', async () => {
  const reader = new LineReader(source(['abcdef\r\n']))
  assert.deepEqual(await reader.line(4, 1), { is: 'part', text: 'abcd' })
  assert.deepEqual(await reader.line(4, 1), { is: 'line', text: 'ef', crlf: true })
})

test('a line that never ends is given up as far as it came', async () => {
  assert.deepEqual(await new LineReader(source(['QUI'])).line(100, 1), {
    is: 'end',
    why: 'closed',
    partial: 'QUI',
  })
})

test('bytes behind a line wait, and can be seen, given back and forgotten', async () => {
  const reader = new LineReader(source(['a\r\nrest']))
  await reader.line(100, 1)
  assert.equal(reader.buffered()?.toString(), 'rest')
  reader.unread(Buffer.from('x'))
  assert.equal(reader.buffered()?.toString(), 'xrest')
  reader.discard()
  assert.equal(reader.buffered(), undefined)
})
