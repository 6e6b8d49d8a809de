/** The reference is made from the tables in the code; `npm run reference` writes it anew. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { optionsReference } from '../src/language/config/reference.ts'
import { collectRegistries } from '../src/server/registries.ts'
import { repository } from './support/server.ts'

const page = join(repository, 'docs', 'reference', 'options.md')

test('docs/reference/options.md says what the option tables say', () => {
  const fresh = optionsReference(collectRegistries())
  if (process.env.POSTERN_WRITE_REFERENCE === '1') writeFileSync(page, fresh)
  assert.equal(readFileSync(page, 'utf8'), fresh, 'run: npm run reference')
})
