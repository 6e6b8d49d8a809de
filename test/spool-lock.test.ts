/** The lock of the spool between processes that die with it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './support/server.ts'

const folder = temporaryFolder('spool-lock')
after(() => folder.remove())
const child = fileURLToPath(new URL('support/lock-child.js', import.meta.url))

function contend(): Promise<{ readonly taken: number; readonly crowded: number }> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, folder.path, '3000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    process_.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
    process_.once('error', reject)
    process_.once('close', () => resolve(JSON.parse(said || '{"taken":0,"crowded":0}')))
  })
}

test('of processes that take the lock of one that died each is alone with it, and none loses it', async () => {
  const all = await Promise.all(Array.from({ length: 6 }, contend))
  for (const { taken, crowded } of all) {
    assert.ok(taken > 10, `${taken}`)
    assert.equal(crowded, 0)
  }
  // What they needed on their way is gone.
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => name !== 'lock'),
    [],
  )
})
