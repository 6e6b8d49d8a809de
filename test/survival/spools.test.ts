/** Random processes on one spool, for a short while: `node dist/test/survival/spools-run.js` goes on. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { playSpool } from './spools.ts'

for (const { seed, kills } of [
  { seed: 1, kills: false },
  { seed: 2, kills: true },
])
  test(
    `processes that come and go on one spool${kills ? ', and are killed' : ''}: nothing is lost, nothing comes back, nothing stays`,
    {
      skip: existsSync('/proc/self/stat') ? false : 'needs /proc',
      timeout: 120_000,
    },
    async () => assert.deepEqual(await playSpool(seed, { rounds: 25, kills }), []),
  )
