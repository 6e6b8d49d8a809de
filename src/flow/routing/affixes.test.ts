import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPrefix, findSuffix } from './affixes.ts'

const prefixes: readonly (readonly [
  patterns: string[],
  localPart: string,
  text?: string,
  variable?: string,
])[] = [
  [['real-'], 'real-bob', 'real-'],
  [['real-'], 'REAL-bob', 'REAL-'],
  [['real-'], 'bob'],
  [['owner-', 'real-'], 'real-bob', 'real-'],
  [['*-'], 'a-b-c', 'a-b-', 'a-b'],
  [['*-'], '-c', '-', ''],
  [['*-'], 'abc'],
]

for (const [patterns, localPart, text, variable] of prefixes) {
  test(`prefix ${patterns.join(' : ')} of ${localPart}: ${text}`, () =>
    assert.deepEqual(findPrefix(patterns, localPart), text === undefined ? undefined : { text, variable }))
}

const suffixes: readonly (readonly [
  patterns: string[],
  localPart: string,
  text?: string,
  variable?: string,
])[] = [
  [['-request'], 'list-request', '-request'],
  [['-request'], 'list'],
  [['-*'], 'a-b-c', '-b-c', 'b-c'],
  [['-*'], 'a-', '-', ''],
  [['+*', '-*'], 'a-b+c', '+c', 'c'],
]

for (const [patterns, localPart, text, variable] of suffixes) {
  test(`suffix ${patterns.join(' : ')} of ${localPart}: ${text}`, () =>
    assert.deepEqual(findSuffix(patterns, localPart), text === undefined ? undefined : { text, variable }))
}
