import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fetchExim } from './debian.ts'

test('a real Exim comes from Debian without being installed', (t) => {
  const exim = fetchExim()
  if ('missing' in exim) return t.skip(exim.missing)
  const says = spawnSync(exim.path, ['-C', '/dev/null', '-bV'], { encoding: 'utf8' })
  assert.match(says.stdout, /^Exim version 4\.\d+/, says.stderr)
})
