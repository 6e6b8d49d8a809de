/** Names that a resolver must complete, on their way to hosts and into headers: what Exim 4.96 and Postern do. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { cases, type NamesShown } from './support/names-inside.ts'
import { temporaryFolder } from './support/server.ts'
import { noExim } from './support/side-by-side.ts'

const skip =
  noExim !== false
    ? noExim
    : spawnSync('unshare', ['-mn', 'true']).status === 0
      ? false
      : 'unshare -mn is not allowed here'

const folder = temporaryFolder('names')
after(() => folder.remove())

function shownInside(): readonly NamesShown[] {
  if (skip !== false) return []
  const resolvConf = join(folder.path, 'resolv.conf')
  const hosts = join(folder.path, 'hosts')
  writeFileSync(resolvConf, 'nameserver 127.0.0.1\nsearch home.test office.test\n')
  writeFileSync(hosts, '127.0.0.1 localhost\n127.88.0.1 onlyhosts\n')
  const helper = join(dirname(fileURLToPath(import.meta.url)), 'support', 'names-inside.js')
  const script =
    'ip link set lo up && mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['-mn', 'sh', '-c', script, 'sh', resolvConf, hosts, process.execPath, helper, 'inside', folder.path],
    { encoding: 'latin1', timeout: 400_000, maxBuffer: 1 << 24 },
  )
  assert.ok(stdout.startsWith('['), stderr + stdout)
  const shown: readonly NamesShown[] = JSON.parse(stdout)
  return shown
}

const shown = shownInside()
cases.forEach(({ says, own }, i) => {
  test(says, { skip }, () => {
    assert.ok((shown[i]?.theirs.length ?? 0) > 0)
    if (own === undefined) assert.deepEqual(shown[i]?.ours, shown[i]?.theirs)
    // The event came with Exim 4.98.
    for (const pattern of own ?? [])
      assert.ok(
        shown[i]?.ours.some((line) => pattern.test(line)),
        shown[i]?.ours.join('\n'),
      )
  })
})
