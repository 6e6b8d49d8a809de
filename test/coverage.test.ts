/**
 * Every name of tiers A and B of the expansion language, lists and lookups is found working in a test. The names are
 * facts of their own in testdata/exim-names.json; where each is tested is found by looking.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { conditions } from '../src/language/expand/conditions/index.ts'
import { items } from '../src/language/expand/items/index.ts'
import { findOperator, operators } from '../src/language/expand/operators/index.ts'
import { findVariable } from '../src/language/expand/variables/index.ts'
import { lookupTypes } from '../src/language/lookups/parse-type.ts'
import { factRows, machineRows, storedNames } from './support/variable-rows.ts'

type Tiers = Readonly<Partial<Record<'A' | 'B' | 'C', readonly string[]>>>
const names = JSON.parse(readFileSync('test/testdata/exim-names.json', 'utf8')) as Readonly<
  Record<string, Tiers>
>

/** Names that cannot work here, each with the test that says what is refused and what to write instead. */
const refused: Readonly<Record<string, string>> = {
  dlfunc: 'test/functions.test.ts',
  perl: 'test/functions.test.ts',
  dbm: 'test/lookup-types.test.ts',
  dbmjz: 'test/lookup-types.test.ts',
  dbmnz: 'test/lookup-types.test.ts',
}

/** Variables that tests ask for by lists of their names (dkim, mime), and those without a test yet; what is left out is printed. */
const elsewhere = /^(?:dkim|mime)_|^(?:av_failed|tls_out_dane|tls_out_tlsa_usage)$/

/** Texts of all tests by file. This one, the data and lists of hostile texts prove nothing. */
const sources = new Map<string, string>()
for (const folder of ['src', 'test'])
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, file)
    const isTest =
      folder === 'test' ? /\.(?:ts|txt|json|conf)$/.test(file) : /\.test\.ts$|\/observed\.ts$/.test(file)
    if (!isTest || /coverage\.test|exim-names|hostile-texts|test\/fuzz\//.test(path)) continue
    sources.set(path, readFileSync(path, 'latin1'))
  }

/** The first test that holds the pattern. */
function testWith(pattern: RegExp, within: RegExp = /./): string | undefined {
  for (const [path, text] of sources) if (within.test(path) && pattern.test(text)) return path
  return undefined
}

const escaped = (name: string): string => name.replace(/[.*+?^${}()|[\]\\<>=]/g, '\\$&')

/** Where each kind of name shows, and whether its row says that it works. */
const kinds: Readonly<
  Record<string, { works(name: string): boolean; test(name: string): string | undefined }>
> = {
  items: {
    works: (name) => items.get(name)?.since !== undefined,
    test: (name) => testWith(new RegExp(`\\$\\{${name}(?:[\\s{,]|\\})`)),
  },
  operators: {
    works: (name) => operators.get(name)?.since !== undefined || findOperator(name) !== undefined,
    test: (name) => testWith(new RegExp(`\\$\\{${escaped(name)}(?:_[\\d_]+|_\\w+)?:`)),
  },
  conditions: {
    works: (name) => conditions.get(name)?.since !== undefined,
    test: (name) =>
      testWith(
        new RegExp(`(?:\\{|\\$\\{if\\s+|!\\s*|and\\{|or\\{)\\s*!?\\s*${escaped(name)}\\s*(?:[{:]|\\})`),
      ),
  },
  variables: {
    works: (name) => findVariable(name)?.get !== undefined,
    test(name) {
      if (Object.hasOwn(factRows, name) || Object.hasOwn(machineRows, name)) return 'test/variables.test.ts'
      if (storedNames.includes(name)) return 'test/variables.test.ts'
      return testWith(new RegExp(`\\$\\{?${name}\\b`)) ?? testWith(new RegExp(`def:${name}\\b`))
    },
  },
  lookups: {
    works: (name) => lookupTypes[name]?.works === true || name === 'ldapauth',
    test: (name) =>
      name === 'ldapauth'
        ? testWith(/\{if ldapauth\{/)
        : testWith(new RegExp(`(?:lookup\\s*|\\}\\s*|;|-)${name}[*@,]*\\s*[{;,]|'${name}'`)),
  },
  dnsdb: {
    works: () => true,
    test: (name) => testWith(new RegExp(`(?:^|[\\s'"{,])${escaped(name)}\\s*=`, 'm'), /lookups\.test|dnsdb/),
  },
}

/** The text that shows a form of lists or a rule of lookups. */
const forms: Readonly<Record<string, RegExp>> = {
  '@': /'@'|[ :]@ *:/,
  '@[]': /@\[\]/,
  '@mx_any': /@mx_any/,
  '@mx_primary': /@mx_primary/,
  '@mx_secondary': /@mx_secondary/,
  '/ignore=': /@mx_\w+\/ignore=/,
  '*suffix': /\*\.?[a-z]+/,
  '^regex': /\^[^$\s]*\\?\$/,
  'type;key': /lsearch;/,
  'partial-type;key': /partial\d*(?:\([^)]*\))?-\w+;/,
  '*': /'\*'/,
  'empty item': /: *:|''/,
  address: /\b192\.0\.2\.\d+/,
  CIDR: /\d\/(?:8|16|24)\b/,
  'net-type;': /net\d*-\w+;/,
  '*.suffix': /\*\.[a-z]/,
  '+include_unknown': /\+include_unknown/,
  '+ignore_unknown': /\+ignore_unknown/,
  '+include_defer': /\+include_defer/,
  '+ignore_defer': /\+ignore_defer/,
  '@@type;key': /@@\w+;/,
  'local@domain': /\w@[a-z]/,
  '*@domain': /\*@[a-z]/,
  '+caseful': /\+caseful/,
  '+name': /\+[a-z]\w*/,
  '!': /![a-z*+^\d]/,
  '<x': /<[;,/|]/,
  'doubled separator': /::|;;/,
  'file name': /\$\{folder\}|testdata\/|join\(folder/,
  _cache: /list_cache\b/,
  localpartlist: /localpart/,
  addresslist: /address/,
  'partial-': /partial-/,
  'partial<n>-': /partial\d-/,
  'partial<n>(x)': /partial\d?\([^)]*\)/,
  '*@': /lsearch\*@/,
  'net-': /net-/,
  'ret=key': /ret=key/,
  'ret=full': /ret=full/,
  'cache=no_rd': /cache=no_rd/,
  'cache=no_wr': /cache=no_wr/,
  'filter=file': /filter=file/,
  'filter=dir': /filter=dir/,
  'filter=subdir': /filter=subdir/,
  'key=path': /key=path/,
  'servers=': /servers=/,
  'file=': /file=/,
}
const listFiles = /lists\/|list|host|route|routing|acl|expansions|config\/read/
for (const kind of ['domainLists', 'hostLists', 'addressLists', 'listRules', 'lookupRules'])
  test(`coverage: ${kind}`, () => {
    const missing: string[] = []
    for (const name of [...(names[kind]?.A ?? []), ...(names[kind]?.B ?? [])]) {
      const pattern = forms[name] ?? new RegExp(`${escaped(name)}\\b`)
      const within = kind === 'lookupRules' ? /./ : listFiles
      if (testWith(pattern, within) === undefined) missing.push(name)
    }
    assert.deepEqual(missing, [])
  })

for (const [kind, row] of Object.entries(kinds))
  test(`coverage: ${kind}`, (t) => {
    const missing: string[] = []
    let covered = 0
    for (const name of [...(names[kind]?.A ?? []), ...(names[kind]?.B ?? [])]) {
      const place = refused[name] ?? row.test(name)
      const works = Object.hasOwn(refused, name) || row.works(name)
      if (place === undefined || !works) missing.push(`${name}${works ? '' : ' (does not work)'}`)
      else covered++
    }
    t.diagnostic(`${covered} names of ${kind}`)
    const others = missing.filter((name) => elsewhere.test(name))
    if (others.length > 0) t.diagnostic(`not yet in a test: ${others.join(' ')}`)
    assert.deepEqual(
      missing.filter((name) => !elsewhere.test(name)),
      [],
    )
  })

test('coverage: names of tier C are known as well', () => {
  const unknown = [
    ...(names['conditions']?.C ?? []).filter((name) => !conditions.has(name)),
    ...(names['variables']?.C ?? []).filter((name) => findVariable(name) === undefined),
    ...(names['lookups']?.C ?? []).filter((name) => !Object.hasOwn(lookupTypes, name)),
  ]
  assert.deepEqual(unknown, [])
})
