import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileRegex } from './regex.ts'

/** Groups as PCRE gives them; `null`: no match. */
const matches: readonly {
  pattern: string
  subject: string
  groups: (string | undefined)[] | null
  says: string
}[] = [
  { says: 'a plain match', pattern: 'b(.)', subject: 'abcd', groups: ['bc', 'c'] },
  { says: '$ stands before a last newline', pattern: 'foo$', subject: 'foo\n', groups: ['foo'] },
  { says: '\\z does not', pattern: 'foo\\z', subject: 'foo\n', groups: null },
  { says: '\\Z does', pattern: '\\Afoo\\Z', subject: 'foo\n', groups: ['foo'] },
  { says: 'flags inside', pattern: 'a(?i)B', subject: 'ab', groups: ['ab'] },
  { says: 'flags of a group', pattern: '(?i:A)b', subject: 'aB', groups: null },
  { says: 'flags end with their group', pattern: '(?:(?i)a)b', subject: 'AB', groups: null },
  { says: 'atomic groups', pattern: '(?>a+)ab', subject: 'aaab', groups: null },
  { says: 'possessive quantifiers', pattern: 'a++b', subject: 'aaab', groups: ['aaab'] },
  { says: 'POSIX classes', pattern: '[[:alpha:]_]+', subject: '1a_b2', groups: ['a_b'] },
  { says: 'negated POSIX classes', pattern: '[[:^digit:]]+', subject: '1ab2', groups: ['ab'] },
  { says: 'horizontal space', pattern: 'a\\hb', subject: 'a\tb', groups: ['a\tb'] },
  { says: 'named groups', pattern: '(?<n>x)(?P<m>y)\\k<n>', subject: 'xyx', groups: ['xyx', 'x', 'y'] },
  { says: 'comments', pattern: 'a(?#no)b', subject: 'ab', groups: ['ab'] },
  { says: 'extended form', pattern: '(?x) a  b # c', subject: 'ab', groups: ['ab'] },
  { says: 'look-behind', pattern: '(?<=foo|ba)r', subject: 'bar', groups: ['r'] },
  { says: 'negative look-ahead', pattern: 'a(?!b)', subject: 'abac', groups: ['a'] },
  { says: 'conditions on groups', pattern: '(<)?a(?(1)>|!)', subject: '<a>', groups: ['<a>', '<'] },
  {
    says: 'conditions on groups, other branch',
    pattern: '^(<)?a(?(1)>|!)',
    subject: 'a!',
    groups: ['a!', undefined],
  },
  { says: 'captures outlive a turn of a loop', pattern: '(?:(a)|b)*', subject: 'ab', groups: ['ab', 'a'] },
  { says: 'quoted parts', pattern: '\\Qa.b\\E$', subject: 'a.b', groups: ['a.b'] },
  { says: 'references', pattern: '(\\w+) \\1', subject: 'so so', groups: ['so so', 'so'] },
  { says: 'caseless letters', pattern: '(?i)[a-c]+', subject: 'xAbCx', groups: ['AbC'] },
  { says: 'bytes above 127 have no case', pattern: '(?i)\\xe9', subject: '\xc9', groups: null },
  { says: 'lines', pattern: '(?m)^b$', subject: 'a\nb\nc', groups: ['b'] },
  { says: 'the dot and newlines', pattern: 'a.b', subject: 'a\nb', groups: null },
  { says: 'the dot with (?s)', pattern: '(?s)a.b', subject: 'a\nb', groups: ['a\nb'] },
  { says: 'lazy quantifiers', pattern: 'a+?', subject: 'aaa', groups: ['a'] },
  { says: 'a brace that is no quantifier', pattern: 'a{,2}', subject: 'a{,2}', groups: ['a{,2}'] },
  { says: '\\K forgets what was before', pattern: 'foo\\Kbar', subject: 'foobar', groups: ['bar'] },
  {
    says: "the default of dns_check_names_pattern takes a host's name",
    pattern: '(?i)^(?>(?(1)\\.|())[^\\W](?>[a-z0-9/_-]*[^\\W])?)+(\\.?)$',
    subject: 'www.example.com',
    groups: ['www.example.com', '', ''],
  },
  {
    says: 'the default of dns_check_names_pattern refuses two dots',
    pattern: '(?i)^(?>(?(1)\\.|())[^\\W](?>[a-z0-9/_-]*[^\\W])?)+(\\.?)$',
    subject: 'www..example.com',
    groups: null,
  },
]
for (const one of matches) {
  test(`regex: ${one.says}`, () => {
    const regex = compileRegex(one.pattern)
    assert.ok('match' in regex)
    const found = regex.match(one.subject)
    assert.ok(found === undefined || !('error' in found))
    assert.deepEqual(found === undefined ? null : [...found], one.groups)
  })
}

const errors: readonly { pattern: string; error: string; at: number }[] = [
  { pattern: 'a(c', error: 'missing closing parenthesis', at: 3 },
  { pattern: 'a)', error: 'unmatched closing parenthesis', at: 1 },
  { pattern: '[', error: 'missing terminating ] for character class', at: 1 },
  { pattern: '*a', error: 'quantifier does not follow a repeatable item', at: 0 },
  { pattern: '[z-a]', error: 'range out of order in character class', at: 3 },
  { pattern: '\\', error: '\\ at end of pattern', at: 1 },
  {
    pattern: '(?R)',
    error: 'recursion into groups is not supported; write the group out again, as deep as it is needed',
    at: 2,
  },
  { pattern: '(?<=a+)b', error: 'lookbehind assertion is not fixed length', at: 0 },
  { pattern: '(a)\\2', error: 'reference to non-existent subpattern', at: 4 },
  { pattern: 'a**', error: 'quantifier does not follow a repeatable item', at: 2 },
  { pattern: 'a{2}{3}', error: 'quantifier does not follow a repeatable item', at: 6 },
]
for (const one of errors) {
  test(`regex: ${one.pattern} is refused`, () => {
    assert.deepEqual(compileRegex(one.pattern), { error: one.error, at: one.at })
  })
}

test('regex: a word is found in a megabyte, whichever engine looks for it', () => {
  const text = 'the quick brown fox jumps over the lazy dog\n'.repeat(25_000)
  for (const pattern of [
    'z+zyx',
    'V.*a',
    '(?i)viagra|cialis|lottery|inheritance',
    '(?<=quick )red',
    'a(?=z+z)',
  ]) {
    const regex = compileRegex(pattern)
    assert.ok('match' in regex)
    assert.equal(regex.match(text), undefined, pattern)
    const found = regex.match(`${text}viagra zzyx quick red azz z+zyx zzzyx Va\n`)
    assert.ok(found !== undefined && !('error' in found), pattern)
    assert.ok(found.index > 1_000_000, pattern)
  }
})

/** Each would take seconds to years on a plain backtracking engine. */
const bombs: readonly (readonly [string, string])[] = [
  ['(a+)+$', `${'a'.repeat(40)}!`],
  ['(?i)(a+)+$', `${'a'.repeat(40)}!`],
  ['(a+)+$', `${'a'.repeat(40)}!\n`],
  ['(?=a)(a+)+$', `${'a'.repeat(40)}!`],
  ['(?:a{1,50}){1,50}$', `${'a'.repeat(40)}!`],
  ['\\s+$', `${' '.repeat(60_000)}x`],
  ['(.*)(.*)(.*)(.*)(.*)[0-9]$', 'x'.repeat(5000)],
  ['(\\w+\\s?)*\\1x', 'ab '.repeat(200)],
  ['(?>(a|b|ab)*)+c(?<!x)', 'ab'.repeat(500)],
  ['((.*a){12}a+)+$', `${'a1'.repeat(200)}@`],
  ['((((a+)+)+)+)+$', `${'a'.repeat(40)}!`],
  // These seemed to be bounded, and took seconds.
  ['a?a?a?a?a?a?a?a?aaaaaaaaz', `${'a'.repeat(900_000)}!`],
  ['a?a?a?a?a?a?a?a?aaaaaaaaz', `${'a'.repeat(50_000)}!`],
  ['^(a|b|a)*c', `${'a'.repeat(900_000)}!`],
  ['^(?:aa|a)*c', `${'a'.repeat(900_000)}!`],
  ['(a|aa)+c', `${'a'.repeat(50_000)}!`],
  ['[a-z]x', `${'a'.repeat(1_000_000)}!`],
  [`(3?${'\xff?'.repeat(130)}i)(x+x+)+y`, 'a.b.c.d.e\xff'],
  [`(?s)${'(.*)'.repeat(180)}[1$`.replace('[', '\\['), `${'a1'.repeat(200)}@`],
]
for (const [pattern, subject] of bombs) {
  test(`regex: ${pattern} ends soon`, () => {
    const regex = compileRegex(pattern)
    assert.ok('match' in regex)
    regex.match('')
    // The best of three, in time of the processor: other programs of a busy machine do not count.
    const took = [1, 2, 3].map(() => {
      const before = process.cpuUsage()
      regex.match(subject)
      return process.cpuUsage(before).user / 1000
    })
    assert.ok(Math.min(...took) < 100, `${took.join(', ')} ms`)
  })
}
