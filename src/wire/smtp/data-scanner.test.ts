import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DataScanner, type ScannerOptions } from './data-scanner.ts'
import { falseEnds } from '../../../test/support/false-ends.ts'

const smtp: ScannerOptions = { dots: 'stuffed', lenient: false }

interface Scanned {
  readonly text: string
  /** What follows the end of data; undefined when it was not met. */
  readonly rest: string | undefined
}

/** Pushes the input in pieces of the given size. */
function scan(input: string, options: ScannerOptions = smtp, size: number = input.length): Scanned {
  const scanner = new DataScanner(options)
  let text = ''
  for (let at = 0; at < input.length; at += size) {
    const piece = scanner.push(Buffer.from(input.slice(at, at + size), 'latin1'))
    text += piece.lead + piece.bytes.toString('latin1')
    if (piece.done) return { text, rest: piece.rest.toString('latin1') + input.slice(at + size) }
  }
  return { text: text + scanner.finish(), rest: undefined }
}

const next = 'MAIL FROM:<forged@test.example>\r\n'

for (const end of falseEnds) {
  test(`${JSON.stringify(end)} does not end the data`, () => {
    for (const size of [1, 2, 3, 5, 1000]) {
      const { text, rest } = scan(`body${end}${next}\r\n.\r\n`, smtp, size)
      assert.equal(rest, '', `pieces of ${size}`)
      assert.ok(text.includes('MAIL FROM:'), 'what follows is part of the message')
      assert.doesNotMatch(text, /\r/, 'no CR is passed on')
    }
  })
}

test('what is passed on is one message when it is stuffed and sent again', () => {
  for (const end of falseEnds) {
    const { text } = scan(`body${end}${next}\r\n.\r\n`)
    const sent = text.replace(/^\./gm, '..').replaceAll('\n', '\r\n')
    const again = scan(`${sent}.\r\n`)
    assert.equal(again.text, text, JSON.stringify(end))
    assert.equal(again.rest, '', JSON.stringify(end))
  }
})

const cases: readonly (readonly [says: string, input: string, text: string, rest: string])[] = [
  ['the plain end', 'a\r\n.\r\n', 'a\n', ''],
  ['an empty message', '.\r\nQUIT\r\n', '', 'QUIT\r\n'],
  ['what follows is given back', 'a\r\n.\r\nQUIT\r\nNOOP\r\n', 'a\n', 'QUIT\r\nNOOP\r\n'],
  ['a stuffed dot (RFC 5321 section 4.5.2)', '..a\r\n...\r\n.\r\n', '.a\n..\n', ''],
  ['a dot inside a line', 'a.b.\r\n.\r\n', 'a.b.\n', ''],
  ['a lone LF is a line end', 'a\nb\r\n.\r\n', 'a\nb\n', ''],
  ['a lone CR is a line end', 'a\rb\r\n.\r\n', 'a\nb\n', ''],
  ['two CR and LF', 'a\r\r\nb\r\n.\r\n', 'a\n\nb\n', ''],
  ['a dot behind a lone LF stays', 'a\n.b\r\n.\r\n', 'a\n.b\n', ''],
]
for (const [says, input, text, rest] of cases) {
  test(`${says}, in pieces of any size`, () => {
    for (let size = 1; size <= input.length; size++) {
      assert.deepEqual(scan(input, smtp, size), { text, rest }, `pieces of ${size}`)
    }
  })
}

test('local programs may end lines and the message with LF', () => {
  const local: ScannerOptions = { dots: 'stuffed', lenient: true }
  for (const size of [1, 2, 100])
    assert.deepEqual(scan('..a\n.\nrest', local, size), { text: '.a\n', rest: 'rest' })
})

test('without -i a dot alone ends a local message, other dots stay', () => {
  const local: ScannerOptions = { dots: 'end', lenient: true }
  for (const size of [1, 2, 3, 100]) {
    assert.deepEqual(scan('..a\n.b\n.\nrest', local, size), { text: '..a\n.b\n', rest: 'rest' })
  }
})

test('BDAT knows no dots, and joins CRLF over pieces', () => {
  const bdat: ScannerOptions = { dots: 'none', lenient: false }
  for (const size of [1, 2, 100]) {
    assert.deepEqual(scan('.\r\n..\r\n.\r\nx\r', bdat, size), { text: '.\n..\n.\nx\n', rest: undefined })
  }
})

test('places of lone line ends are told', () => {
  const piece = new DataScanner(smtp).push(Buffer.from('a\nb\r\nc\rd'))
  assert.equal(piece.bytes.toString(), 'a\nb\nc\nd')
  assert.deepEqual(piece.bare, [2, 6])
})
