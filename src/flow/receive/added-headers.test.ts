import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeHeader } from '../../mail/header.ts'
import { mergeAddedHeaders, removeNamed } from './added-headers.ts'

const headers = ['Received: a\n', 'Received: b\n', 'Return-Path: <x>\n', 'Subject: s\n', 'To: t\n'].map(
  makeHeader,
)
const names = (added: readonly string[]): string =>
  mergeAddedHeaders(headers, added)
    .map((header) => header.text.split(':')[0])
    .join(' ')

const cases: readonly (readonly [says: string, added: readonly string[], order: string])[] = [
  ['without a place: the end', ['X: 1\n'], 'Received Received Return-Path Subject To X'],
  [':at_end:', [':at_end:X: 1\n'], 'Received Received Return-Path Subject To X'],
  [':at_start:', [':at_start:X: 1\n'], 'X Received Received Return-Path Subject To'],
  [':after_received:', [':after_received:X: 1\n'], 'Received Received X Return-Path Subject To'],
  [':at_start_rfc:', [':at_start_rfc:X: 1\n'], 'Received Received Return-Path X Subject To'],
  [
    'two at the start: the last comes first',
    [':at_start:X: 1\n', ':at_start:Y: 1\n'],
    'Y X Received Received Return-Path Subject To',
  ],
]
for (const [says, added, order] of cases)
  test(`an added header goes to its place: ${says}`, () => assert.equal(names(added), order))

test('removed headers stay, marked', () => {
  assert.deepEqual(
    removeNamed(headers, ['subject', 'TO:']).map((header) => header.type),
    ['P', 'P', ' ', '*', '*'],
  )
})
