/** The reference is made from the tables in the code; `npm run reference` writes it anew. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { optionsReference } from '../src/language/config/reference.ts'
import { collectRegistries } from '../src/server/registries.ts'
import { codes, findingsReference } from '../src/tools/inspect/codes.ts'
import { plantedDefects } from './support/planted-defects.ts'
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
  }
  assert.deepEqual(
    [...used].filter((code) => !Object.hasOwn(codes, code)),
    [],
  )
  assert.deepEqual(Object.keys(codes), Object.keys(codes).sort())
})
