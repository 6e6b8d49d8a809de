/** Runs walks of pages, each in a machine of its own. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { walks } from './walks/index.ts'
import { enter, namespaces } from './world.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), 'walk.js')

/** False, or why no page can be followed here. */
function missing(): string | false {
  if (process.getuid?.() !== 0) return 'a machine of its own for each page needs root'
  const tried = spawnSync('unshare', [...namespaces, 'sh', '-c', enter, 'sh', 'true'], { encoding: 'utf8' })
  return tried.status === 0 ? false : `no machine of its own can be made here: ${tried.stderr.trim()}`
}
const skip = missing()

/** @param pages names of pages that have walks */
export function followPages(pages: readonly string[]): void {
  for (const page of pages)
    test(`docs/guide/${page} is followed to the letter`, { skip, timeout: 500_000 }, async (t) => {
      // Packages are fetched here: inside there is no network.
      for (const need of walks[page]?.needs ?? []) {
        const fetched = need()
        if ('missing' in fetched) return t.skip(fetched.missing)
      }
      const child = spawn(
        'unshare',
        [...namespaces, 'sh', '-c', enter, 'sh', process.execPath, program, page],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      )
      let said = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (said += text))
      const timer = setTimeout(() => child.kill('SIGKILL'), 450_000)
      const status = await new Promise((resolve) => child.once('close', resolve))
      clearTimeout(timer)
      assert.equal(status, 0, said)
    })
}
