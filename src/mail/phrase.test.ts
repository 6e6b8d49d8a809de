import assert from 'node:assert/strict'
import { test } from 'node:test'
import { phrase } from './phrase.ts'

// What Exim 4.96 makes of the value of -F; it ends by itself what does not end.
const cases: readonly { readonly says: string; readonly name: string; readonly shown: string }[] = [
  { says: 'words stay', name: 'Alice Liddell', shown: 'Alice Liddell' },
  { says: 'white space around is left out', name: ' a ', shown: 'a' },
  { says: 'a dot needs quotes around the whole', name: 'A. Li', shown: '"A. Li"' },
  { says: 'so does what would end the name', name: 'x <y>, z', shown: '"x <y>, z"' },
  { says: 'what is quoted already stays', name: '"Bob B."', shown: '"Bob B."' },
  { says: 'words beside it too', name: 'Bob "B" C', shown: 'Bob "B" C' },
  { says: 'a quote within quotes stays', name: '"a\\"b" c', shown: '"a\\"b" c' },
  { says: 'beside a quoted string each word is quoted by itself', name: '"a" b c. d', shown: '"a" b "c." d' },
  { says: 'a comment stays', name: 'a (b (c)) d', shown: 'a (b (c)) d' },
  {
    says: 'a comment beside a quoted string stays',
    name: '"Bob B." (the) Builder',
    shown: '"Bob B." (the) Builder',
  },
  { says: 'a comment beside what needs quotes is quoted too', name: 'A. (b)', shown: '"A. (b)"' },
  { says: 'a quote that does not end is quoted', name: 'Bob "B', shown: '"Bob \\"B"' },
  { says: 'a comment that does not end is quoted', name: 'Bob (B', shown: '"Bob (B"' },
  { says: 'bytes beyond ASCII are encoded', name: 'J\xc3\xbcrg', shown: '=?UTF-8?Q?J=C3=BCrg?=' },
]
for (const { says, name, shown } of cases)
  test(`a name before an address: ${says}`, () => {
    assert.equal(phrase(name), shown)
  })
