/** DNS lists: what a real Exim and Postern answer with the same lists and the same zone. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dnslistsRows } from './support/dnslists-rows.ts'
import { temporaryFolder } from './support/server.ts'

const program = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'

function whyNot(): string | false {
  if (!existsSync(program)) return 'no Exim on this machine to compare with'
  if (process.getuid?.() !== 0) return 'needs root for a network of its own'
  return spawnSync('unshare', ['-mn', 'true']).status === 0 ? false : 'unshare -mn is not allowed here'
}

const facts = '$dnslist_domain $dnslist_matched $dnslist_value <$dnslist_text>'
const acl = dnslistsRows
  .map(
    (list, i) =>
      `  accept local_parts = r${i}\n    set acl_m_list = two.test=127.0.0.5 : one.test\n    dnslists = ${list}\n    message = 250 yes ${facts}\n  accept local_parts = r${i}\n    message = 250 no ${facts}\n`,
  )
  .join('')
const main = `primary_hostname = mx.test.example
host_lookup =
recipients_max = 0
dns_retry = 1
dns_retrans = 1s
acl_smtp_rcpt = lists
begin acl
lists:
${acl}  deny
`

/** Rows that differ, and why. */
const meant: Readonly<Record<string, string>> = {
  'strange.test': 'values outside 127.0.0.0/8 are ignored, as the manual has it; Exim 4.96 takes one here',
}

test('dnslists as Exim', { skip: whyNot() }, async (t) => {
  const { theirs, ours } = compare()
  for (const [i, list] of dnslistsRows.entries()) {
    await t.test(`${i}: dnslists = ${list}`, { skip: meant[list] }, () => {
      assert.ok(theirs[i])
      assert.equal(ours[i], theirs[i])
    })
  }
})

function compare(): { readonly theirs: readonly string[]; readonly ours: readonly string[] } {
  const folder = temporaryFolder('dnslists')
  try {
    const resolvConf = join(folder.path, 'resolv.conf')
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\n')
    const files = ['theirs', 'ours'].map((name) => {
      const spool = join(folder.path, name)
      mkdirSync(spool)
      chmodSync(spool, 0o777)
      const file = join(folder.path, `${name}.conf`)
      writeFileSync(
        file,
        `spool_directory = ${spool}\nlog_file_path = ${spool}/%slog\nkeep_environment =\n${main}`,
      )
      return file
    })
    const helper = join(dirname(fileURLToPath(import.meta.url)), 'support', 'dnslists-compare.js')
    const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-mn', 'sh', '-c', script, 'sh', resolvConf, process.execPath, helper, program, ...files],
      { encoding: 'latin1', timeout: 120_000, maxBuffer: 1 << 24 },
    )
    assert.ok(stdout.startsWith('{'), stderr)
    const said: { theirs: string[]; ours: string[] } = JSON.parse(stdout)
    return said
  } finally {
    folder.remove()
  }
}
