import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeUtf8 } from '../base/text.ts'
import { fetchDebian } from '../../test/support/debian.ts'
import { repository } from '../../test/support/server.ts'
import { asciiDomain } from './ascii-domain.ts'
import { organizationalDomain, parseSuffixes, publicSuffix, type SuffixList } from './public-suffix.ts'
import { suffixRules } from './public-suffix-list.ts'

const embedded = parseSuffixes(suffixRules)
const officialFile = join(repository, '../shared/reference/psl/test_psl.txt')
const skip = existsSync(officialFile) ? false : "the public suffix list's own tests are not here"
const official = skip === false ? readFileSync(officialFile, 'utf8') : ''

/** `checkPublicSuffix('a.b', 'b');` of the list's own test file. */
const checks = [...official.matchAll(/^checkPublicSuffix\((?:'(.*?)'|null), (?:'(.*?)'|null)\);/gm)].map(
  ([, name, expected]) => ({ name: name ?? '', expected }),
)

function assertOfficial(list: SuffixList): void {
  for (const { name, expected } of checks) {
    const found = organizationalDomain(encodeUtf8(name), list)
    assert.equal(found, expected === undefined ? undefined : asciiDomain(encodeUtf8(expected)), name)
  }
}

test("the public suffix list's own tests hold for the embedded list", { skip }, () => {
  assert.ok(checks.length > 70)
  assertOfficial(embedded)
})

const debian = '/usr/share/publicsuffix/public_suffix_list.dat'
function debianList(): string | undefined {
  if (existsSync(debian)) return debian
  const fetched = fetchDebian(['publicsuffix'])
  return 'missing' in fetched ? undefined : join(fetched.root, debian)
}
const file = debianList()

test("they hold for Debian's own file too, which the embedded list was made from", {
  skip: file === undefined ? 'no publicsuffix package' : false,
}, () => {
  const read = parseSuffixes(readFileSync(file ?? '', 'latin1'))
  assertOfficial(read)
  assert.ok(Math.abs(read.rules.size - embedded.rules.size) < 2000)
  const shared = [...embedded.rules.keys()].filter((name) => read.rules.has(name)).length
  assert.ok(shared > 0.9 * embedded.rules.size)
})

const cases = [
  { says: 'a wildcard rule', name: 'a.b.c.ck', suffix: 'c.ck', organization: 'b.c.ck' },
  { says: 'an exception to it', name: 'a.www.ck', suffix: 'ck', organization: 'www.ck' },
  { says: 'a private suffix', name: 'x.y.github.io', suffix: 'github.io', organization: 'y.github.io' },
  { says: 'a dot at the end', name: 'www.example.com.', suffix: 'com', organization: 'example.com' },
  {
    says: 'a U-label',
    name: encodeUtf8('www.食狮.公司.cn'),
    suffix: 'xn--55qx5d.cn',
    organization: 'xn--85x722f.xn--55qx5d.cn',
  },
  { says: 'a suffix itself', name: 'co.uk', suffix: 'co.uk', organization: undefined },
  { says: 'an empty label', name: 'a..com', suffix: undefined, organization: undefined },
  { says: 'nothing', name: '', suffix: undefined, organization: undefined },
  {
    says: 'a name that is too long',
    name: `${'a.'.repeat(130)}com`,
    suffix: undefined,
    organization: undefined,
  },
]
for (const { says, name, suffix, organization } of cases) {
  test(`public suffix and organisation of ${says}`, () => {
    assert.equal(publicSuffix(name, embedded), suffix)
    assert.equal(organizationalDomain(name, embedded), organization)
  })
}

test('a file with odd lines: comments, white space, trailing words, CRLF', () => {
  const list = parseSuffixes(
    '// comment\r\n\r\n  odd.test trailing words\r\n*.wild.test\n!not.wild.test\n/broken\n',
  )
  assert.deepEqual([...list.rules.keys()].sort(), ['not.wild.test', 'odd.test', 'wild.test'])
  assert.equal(organizationalDomain('a.b.odd.test', list), 'b.odd.test')
  assert.equal(organizationalDomain('a.b.wild.test', list), 'a.b.wild.test')
  assert.equal(organizationalDomain('a.not.wild.test', list), 'not.wild.test')
})
