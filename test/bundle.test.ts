/** dist/postern.cjs, made by bin/bundle.mjs: the program in one file. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { repository } from './support/server.ts'

interface Bundled {
  bundlePaths(root: string): { readonly code: string; readonly cache: string }
  bundledMain(): unknown
  compileBundle(
    path: string,
    code: string,
    cache: Buffer,
  ): { readonly script: { cachedDataRejected?: boolean } }
}

test('the program starts from one file, with its compiled code', async () => {
  const bundled: Bundled = await import(pathToFileURL(join(repository, 'bin/bundled.mjs')).href)
  assert.equal(typeof bundled.bundledMain(), 'function')
  const { code, cache } = bundled.bundlePaths(repository)
  const { script } = bundled.compileBundle(code, readFileSync(code, 'latin1'), readFileSync(cache))
  assert.equal(script.cachedDataRejected, false)
})
