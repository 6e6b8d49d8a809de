/** Two of the random worlds of `worlds.ts`, small ones: `node dist/test/survival/worlds-run.js` plays on. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { playWorld } from './worlds.ts'

for (const { seed, kills } of [
  { seed: 11, kills: false },
  { seed: 12, kills: true },
])
  test(
    `a world that changes between attempts${kills ? ', with processes that are killed' : ''}: nothing is lost, nothing comes twice without a reason, nothing stays`,
    {
      skip: existsSync('/proc/self/stat') && process.getuid?.() === 0 ? false : 'needs /proc and root',
      timeout: 240_000,
    },
    async () => assert.deepEqual(await playWorld(seed, { steps: 35, kills, changes: true }), []),
  )
