/** Regular expressions in Perl syntax, with subjects that make bad ones run away. */
import { compileRegex } from '../../../src/base/regex.ts'
import { mutate, type Random } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const patterns = [
  '(a+)+$',
  '^(a|aa)+$',
  '(?i)(x+x+)+y',
  '^(?>a+)b|(?<n>c)\\k<n>',
  '^(?:[a-z0-9]+\\.)*[a-z]{2,}$',
  '(?<=a)b(?!c)(?=d)',
  '([[:alpha:]]+[[:^digit:]]*)*+z',
  '\\bfoo\\b\\Q.*\\E\\A\\z',
  '(.*a){12}',
  '(?s)(.*)(.*)(.*)\\1$',
  '(\\w*\\d*)*!',
  '^(([^@]+)*@)+$',
]
const bits =
  '( ) [ ] { } * + ? | ^ $ . \\ \\d \\1 (? (?: (?i) (?= (?<! (?> {1,50} {0,1000} a-z [: :] \\Q \\E \n \xff'.split(
    ' ',
  )
const subjects = [
  'a'.repeat(40) + '!',
  'xy',
  'ab'.repeat(3000),
  `${'a1'.repeat(200)}@`,
  '\n\n\n',
  'a.b.c.d.e\xff',
  '',
]

export const regularExpressions: FuzzTarget = {
  name: 'regular-expressions',
  says: 'a regular expression matches, does not, or says what is wrong, soon',
  make: () => ({
    generate: (random: Random) =>
      String.fromCharCode(random.below(subjects.length)) +
      mutate(random.pick(patterns), random, patterns, bits, 1000),
    run(input) {
      const regex = compileRegex(input.slice(1))
      if ('error' in regex) return regex.error
      const result = regex.match(subjects[input.charCodeAt(0) % subjects.length] ?? '')
      return result !== undefined && 'error' in result ? result.error : ''
    },
  }),
}
