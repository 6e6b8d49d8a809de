/** dist/bundle, made by bin/bundle.mjs: the program in a few files of ready code. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { workerFlags } from '../src/server/privileged/fork-worker.ts'
import { repository } from './support/server.ts'

interface Bundled {
  bundledMain(): unknown
}

test('the program starts from its bundle', async () => {
  const bundled: Bundled = await import(pathToFileURL(join(repository, 'bin/bundled.cjs')).href)
  assert.equal(typeof bundled.bundledMain(), 'function')
})

for (const [kind, parts, flags] of [
  ['call', [0], []],
  ['call', [0, 1, 2], []],
  ['parent', [0, 1], []],
  ['worker', [0, 1, 2], workerFlags],
] as const) {
  test(`V8 takes the compiled form of parts ${parts.join(', ')} for a ${kind}`, () => {
    const script = `
      const { openBundle } = require(${JSON.stringify(join(repository, 'bin/bundled.cjs'))})
      const opened = openBundle(${JSON.stringify(join(repository, 'dist/bundle'))}, '${kind}')
      opened.upTo(${parts.at(-1)})
      console.log(JSON.stringify(opened.scripts.map((script) => script.cachedDataRejected)))`
    const done = spawnSync(process.execPath, [...flags, '-e', script], {
      encoding: 'utf8',
    })
    assert.equal(done.stderr, '')
    assert.deepEqual(
      JSON.parse(done.stdout),
      parts.map(() => false),
    )
  })
}

test('a part for what is seldom used has no compiled form', () => {
  assert.ok(existsSync(join(repository, 'dist/bundle/4.cjs')))
  assert.ok(!existsSync(join(repository, 'dist/bundle/worker-4.cache')))
})
