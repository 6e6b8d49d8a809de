/** dist/postern.cjs, made by bin/bundle.mjs: the program in one file. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { workerFlags } from '../src/server/privileged/fork-worker.ts'
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

test('the compiled code is taken by workers too, whose flags for V8 are others', () => {
  const asked = spawnSync(
    process.execPath,
    [
      ...workerFlags,
      '--input-type=module',
      '-e',
      `import { readFileSync } from 'node:fs'
import { bundlePaths, compileBundle } from ${JSON.stringify(pathToFileURL(join(repository, 'bin/bundled.mjs')).href)}
const { code, cache } = bundlePaths(${JSON.stringify(repository)})
console.log(compileBundle(code, readFileSync(code, 'latin1'), readFileSync(cache)).script.cachedDataRejected)`,
    ],
    { encoding: 'utf8' },
  )
  assert.equal(asked.stdout, 'false\n', asked.stderr)
})

test('the program starts from one file, with its compiled code', async () => {
  const bundled: Bundled = await import(pathToFileURL(join(repository, 'bin/bundled.mjs')).href)
  assert.equal(typeof bundled.bundledMain(), 'function')
  const { code, cache } = bundled.bundlePaths(repository)
  const { script } = bundled.compileBundle(code, readFileSync(code, 'latin1'), readFileSync(cache))
  assert.equal(script.cachedDataRejected, false)
})
