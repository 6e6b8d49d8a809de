/** TLS of deliveries to scripted hosts by a real Exim and by Postern: log lines, dialogues, hints and reports. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { noOpenssl } from './support/certificates.ts'
import type { RemoteTlsComparison } from './support/remote-tls-compare.ts'
import { temporaryFolder } from './support/server.ts'

const exim = process.env.POSTERN_TEST_EXIM4

function whyNot(): string | false {
  if (exim === undefined) return 'no Exim on this machine to compare with'
  if (process.getuid?.() !== 0) return 'needs root for a network of its own'
  return spawnSync('unshare', ['-mn', 'true']).status === 0 ? noOpenssl : 'unshare -mn is not allowed here'
}

const skip = whyNot()
const folder = temporaryFolder('remote-tls-vs-exim')
after(() => folder.remove())

test('TLS of deliveries as Exim has it', { skip }, async (t) => {
  for (const [i, { says, meant, both }] of compare().entries()) {
    await t.test(`${i + 1}: ${says}`, () => {
      assert.ok(both.theirs.log.length > 0)
      if (meant === undefined) assert.deepEqual(both.ours, both.theirs)
      else assert.notDeepEqual(both.ours, both.theirs)
    })
  }
})

/** In a network of its own, where port 53 is free. */
function compare(): readonly RemoteTlsComparison[] {
  const resolvConf = join(folder.path, 'resolv.conf')
  writeFileSync(resolvConf, 'nameserver 127.0.0.1\noptions trust-ad\n')
  const helper = join(dirname(fileURLToPath(import.meta.url)), 'support', 'remote-tls-compare.js')
  const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['-mn', 'sh', '-c', script, 'sh', resolvConf, process.execPath, helper, exim ?? '', folder.path],
    { encoding: 'utf8', timeout: 500_000, maxBuffer: 1 << 26 },
  )
  assert.ok(stdout.startsWith('['), stderr)
  const said: RemoteTlsComparison[] = JSON.parse(stdout)
  return said
}
