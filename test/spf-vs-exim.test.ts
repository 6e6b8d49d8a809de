/** SPF: what a real Exim 4.96, which uses libspf2, and Postern make of the same records. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { postern, temporaryFolder } from './support/server.ts'
import type { ComparedSpf } from './support/spf-compare.ts'

/** Differences that are meant. */
const meant: Readonly<Record<string, string>> = {
  'ptr-label': 'RFC 7208 section 7.1 wants a dot in the domain; libspf2 takes one label',
  syntax: 'a mistake in a record is permerror; Exim 4.96 says (invalid)',
  'syntax-late': 'a mistake in a record is permerror; Exim 4.96 says (invalid)',
  prefix: 'a mistake in a record is permerror; Exim 4.96 says (invalid)',
  voids: 'RFC 7208 section 4.6.4 allows two void lookups; libspf2 does not count them',
  'macro-d': 'libspf2 loses the first letter of %{d2} of a domain with two labels',
  servfail: 'a DNS error is temperror; Exim 4.96 says (invalid)',
}

const program = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'

function whyNot(): string | false {
  if (!existsSync(program)) return 'no Exim on this machine to compare with'
  if (process.getuid?.() !== 0) return 'needs root for a network of its own'
  if (!/^Support for:.* SPF\b/m.test(spawnSync(program, ['-bV'], { encoding: 'latin1' }).stdout))
    return 'this Exim was built without SPF'
  return spawnSync('unshare', ['-mn', 'true']).status === 0 ? false : 'unshare -mn is not allowed here'
}

test('SPF results, comments and ${authresults are those of Exim', { skip: whyNot() }, async (t) => {
  const all = compare()
  assert.ok(all.length > 80)
  for (const { name, ours, theirs } of all) {
    const why = meant[name.split(' ')[0] ?? '']
    await t.test(why === undefined ? name : `${name} differs: ${why}`, () => {
      if (why === undefined) assert.equal(ours, theirs)
      else assert.notEqual(ours, theirs)
    })
  }
})

function compare(): readonly ComparedSpf[] {
  const folder = temporaryFolder('spf-exim')
  try {
    const resolvConf = join(folder.path, 'resolv.conf')
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\n')
    const configuration = join(folder.path, 'exim.conf')
    const helper = join(dirname(fileURLToPath(import.meta.url)), 'support', 'spf-compare.js')
    const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    const { stdout, stderr } = spawnSync(
      'unshare',
      [
        '-mn',
        'sh',
        '-c',
        script,
        'sh',
        resolvConf,
        process.execPath,
        helper,
        program,
        postern,
        configuration,
      ],
      { encoding: 'latin1', timeout: 120_000, maxBuffer: 1 << 24 },
    )
    assert.ok(stdout.startsWith('['), stderr)
    const said: ComparedSpf[] = JSON.parse(stdout)
    return said
  } finally {
    folder.remove()
  }
}
