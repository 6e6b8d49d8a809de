import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseReply, formatReply } from './replies.ts'

test('one line, several lines, enhanced codes', () => {
  assert.equal(formatReply(250, 'OK'), '250 OK\r\n')
  assert.equal(formatReply(550, 'a\nb\nc'), '550-a\r\n550-b\r\n550 c\r\n')
  assert.equal(formatReply(550, '5.7.1 a\nb'), '550-5.7.1 a\r\n550 5.7.1 b\r\n')
  assert.equal(formatReply(250, 'a\n'), '250 a\r\n')
})

test('nothing from outside ends a line', () => {
  assert.equal(formatReply(550, 'a\rb\0c\x1bd'), '550 a?b?c?d\r\n')
})

test('a code of the right class is taken, another is not (Exim manual, "message" in ACLs)', () => {
  assert.deepEqual(chooseReply('553 5.1.3 bad', 550), { code: 553, text: '5.1.3 bad', wrongCode: undefined })
  assert.deepEqual(chooseReply('450 soft', 550), { code: 550, text: 'soft', wrongCode: '450' })
  assert.deepEqual(chooseReply('no code', 550), { code: 550, text: 'no code', wrongCode: undefined })
  assert.deepEqual(chooseReply('5500 people', 550), { code: 550, text: '5500 people', wrongCode: undefined })
})
