/** The reference is made from the tables in the code; `npm run reference` writes it anew. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { optionsReference } from '../src/language/config/reference.ts'
import { collectRegistries } from '../src/server/registries.ts'
import { codes, findingsReference } from '../src/tools/inspect/codes.ts'
import { plantedDefects } from './support/planted-defects.ts'
import { authenticatorOptions } from '../src/language/config/options/authenticator.ts'
import { mainOptions } from '../src/language/config/options/main.ts'
import { routerOptions } from '../src/language/config/options/router.ts'
import { transportOptions } from '../src/language/config/options/transport.ts'
import { authenticatorTable, routerTable, transportTable } from '../src/server/driver-tables.ts'
import { posternVersion } from '../src/server/version.ts'
import { commands } from '../src/tools/cli/commands/index.ts'
import { flagTable } from '../src/tools/cli/flag-table.ts'
import { commandPage, configurationPage, type ManTables } from '../src/tools/cli/man-pages.ts'
import { installed } from '../src/tools/host/layout.ts'
import { repository } from './support/server.ts'

const page = join(repository, 'docs', 'reference', 'options.md')

test('docs/reference/options.md says what the option tables say', () => {
  const fresh = optionsReference(collectRegistries())
  if (process.env.POSTERN_WRITE_REFERENCE === '1') writeFileSync(page, fresh)
  assert.equal(readFileSync(page, 'utf8'), fresh, 'run: npm run reference')
})

test('docs/reference/findings.md says what the table of codes says', () => {
  const findings = join(repository, 'docs', 'reference', 'findings.md')
  const fresh = findingsReference()
  if (process.env.POSTERN_WRITE_REFERENCE === '1') writeFileSync(findings, fresh)
  assert.equal(readFileSync(findings, 'utf8'), fresh, 'run: npm run reference')
})

const drivers = (
  kind: string,
  common: ManTables['mainOptions'],
  table: Readonly<Record<string, { readonly options: ManTables['mainOptions'] }>>,
): ManTables['drivers'] => [
  { kind: 'every', name: kind, options: common },
  ...Object.entries(table).map(([name, { options }]) => ({ kind, name, options })),
]

const manTables: ManTables = {
  version: posternVersion,
  commands,
  flags: flagTable,
  mainOptions,
  drivers: [
    ...drivers('router', routerOptions, routerTable),
    ...drivers('transport', transportOptions, transportTable),
    ...drivers('authenticator', authenticatorOptions, authenticatorTable),
  ],
  files: [
    [installed.configuration, 'The configuration; without it those of an Exim are looked for.'],
    [installed.spool, 'The queue.'],
    [installed.logs, 'The logs.'],
    [installed.drop, 'Where local users hand mail in.'],
  ],
}

for (const [name, make] of [
  ['postern.8', commandPage],
  ['postern.conf.5', configurationPage],
] as const)
  test(`docs/man/${name} says what the tables say, and groff takes it without a warning`, (t) => {
    const path = join(repository, 'docs', 'man', name)
    const fresh = make(manTables)
    if (process.env.POSTERN_WRITE_REFERENCE === '1') writeFileSync(path, fresh)
    assert.equal(readFileSync(path, 'utf8'), fresh, 'run: npm run reference')
    const formatted = spawnSync('groff', ['-ww', '-man', '-Tutf8', path], { encoding: 'utf8' })
    if (formatted.error !== undefined) return t.diagnostic('no groff on this machine')
    assert.equal(formatted.stderr, '')
    assert.match(formatted.stdout, /smtp_accept_max|queue/)
  })

test('each code of a finding has a page in the reference', () => {
  const source = join(repository, 'src')
  const used = new Set(plantedDefects.map(({ code }) => code))
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (
      !name.endsWith('.ts') ||
      name.endsWith('.test.ts') ||
      !/^(language|policy|server|flow|tools)\//.test(name)
    )
      continue
    const text = readFileSync(join(source, name), 'utf8')
    // Findings carry a message, other things with a code do not.
    for (const [, code = ''] of text.matchAll(/\bcode: '([a-z]+(?:-[a-z]+)*)',\s*(?:severity|message)/g))
      used.add(code)
    for (const [, code = ''] of text.matchAll(
      /(?:\b(?:this\.#?)?report,|\b#?fault\()\s*'([a-z]+(?:-[a-z]+)+)',/g,
    ))
      used.add(code)
  }
  assert.deepEqual(
    [...used].filter((code) => !Object.hasOwn(codes, code)),
    [],
  )
  assert.deepEqual(Object.keys(codes), Object.keys(codes).sort())
})
