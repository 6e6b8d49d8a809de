import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wildMatch } from './compare.ts'

/** As RFC 5228 section 2.7.1 says it, by trying all: for short texts. */
function slowly(text: string, pattern: string): boolean {
  if (pattern === '') return text === ''
  if (pattern.startsWith('*'))
    return slowly(text, pattern.slice(1)) || (text !== '' && slowly(text.slice(1), pattern))
  if (text === '') return false
  if (pattern.startsWith('?')) return slowly(text.slice(1), pattern.slice(1))
  const char = pattern.startsWith('\\') && pattern.length > 1 ? pattern.slice(1, 2) : pattern.slice(0, 1)
  return (
    text.startsWith(char) &&
    slowly(text.slice(1), pattern.slice(pattern.startsWith('\\') && pattern.length > 1 ? 2 : 1))
  )
}

function words(letters: string, longest: number): string[] {
  const found = ['']
  for (let i = 0; i < found.length; i++) {
    const word = found[i] ?? ''
    if (word.length < longest) for (const letter of letters) found.push(word + letter)
  }
  return found
}

test('every pattern of a, b, star and question mark matches what the RFC says, in texts of a and b', () => {
  const texts = words('ab', 4)
  for (const pattern of words('ab*?', 4))
    for (const text of texts)
      assert.equal(wildMatch(text, pattern), slowly(text, pattern), `${text} against ${pattern}`)
})

test('a backslash takes the meaning from the next character', () => {
  for (const [text, pattern] of [
    ['a*b', 'a\\*b'],
    ['a?b', '*\\?*'],
    ['a\\', 'a\\'],
    ['xa\\y', '*a\\\\*'],
  ] as const)
    assert.equal(wildMatch(text, pattern), true, pattern)
  assert.equal(wildMatch('axb', 'a\\*b'), false)
})

test('long texts against long pieces take linear time', () => {
  const text = 'a'.repeat(900_000)
  const started = process.cpuUsage()
  assert.equal(wildMatch(text, `*${'a'.repeat(5000)}b*`), false)
  assert.equal(wildMatch(text, `*${'a*'.repeat(5000)}b`), false)
  assert.equal(wildMatch(`${text}b`, `*${'a'.repeat(5000)}b`), true)
  assert.throws(() => wildMatch(text, `*${'a?'.repeat(500)}b*`), /matching takes too long/)
  const { user, system } = process.cpuUsage(started)
  assert.ok(user + system < 1_000_000, `${user + system} microseconds`)
})
