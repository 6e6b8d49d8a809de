/** SPF and DKIM: what a real Exim 4.96 and Postern make of the same two hundred messages. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ComparedDkim } from './support/dkim-compare.ts'
import { postern, temporaryFolder } from './support/server.ts'

/** Differences that are meant: docs/decisions/dkim.md. */
const meant: Readonly<Record<string, string>> = {
  'relaxed/simple empty': 'an empty body is CRLF: RFC 6376 section 3.4.3; Exim 4.96 hashes nothing',
  'simple/simple empty': 'the same',
  revoked: 'a record that is none is permerror; Exim 4.96 says neutral',
  broken: 'the same',
  v2: 'the same',
  service: 'the same',
  nokey: 'a key that is not there is permerror; Exim 4.96 says tmperror',
  servfail: 'the word of RFC 8601 is temperror; Exim 4.96 writes tmperror',
  pkcs1: 'RFC 6376 section 3.6.1 speaks of RSAPublicKey: such a key is taken',
  two: 'of two records the first that is a key counts: RFC 6376 section 6.1.2',
  sha1only: 'the reason is told',
  expired: 'an expired signature is none: RFC 6376 section 6.1.1',
  turned: 'x= before t= is a mistake: RFC 6376 section 3.5',
  nofrom: 'From: must be signed: RFC 6376 section 6.1.1',
  elsewhere: 'i= must be of the domain: RFC 6376 section 6.1.1',
  'no-bh': 'bh= must be there: RFC 6376 section 3.5',
  twice: 'a tag must not stand twice: RFC 6376 section 3.2',
  method: 'q= must have a method that is known: RFC 6376 section 6.1.2',
  beyond: 'l= must not be more than there is: RFC 6376 section 3.5',
}

const program = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'

function whyNot(): string | false {
  if (!existsSync(program)) return 'no Exim on this machine to compare with'
  if (process.getuid?.() !== 0) return 'needs root for a network of its own'
  if (!/^Support for:.* DKIM\b/m.test(spawnSync(program, ['-bV'], { encoding: 'latin1' }).stdout))
    return 'this Exim was built without DKIM'
  return spawnSync('unshare', ['-mn', 'true']).status === 0 ? false : 'unshare -mn is not allowed here'
}

test('SPF and DKIM results, log lines and ${authresults are those of Exim', { skip: whyNot() }, async (t) => {
  const all = compare()
  assert.ok(all.length >= 200, String(all.length))
  for (const { name, ours, theirs } of all) {
    const what = name.split(';')[0] ?? ''
    const why = meant[what.replace(/^(?:rsa|ed|sha512) /, '')]
    await t.test(why === undefined ? name : `${name} differs: ${why}`, () => {
      if (why === undefined) assert.equal(ours, theirs)
      else assert.notEqual(ours, theirs)
    })
  }
})

function compare(): readonly ComparedDkim[] {
  const folder = temporaryFolder('dkim-exim')
  try {
    chmodSync(folder.path, 0o777)
    const resolvConf = join(folder.path, 'resolv.conf')
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\n')
    const helper = join(dirname(fileURLToPath(import.meta.url)), 'support', 'dkim-compare.js')
    const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-mn', 'sh', '-c', script, 'sh', resolvConf, process.execPath, helper, program, postern, folder.path],
      { encoding: 'latin1', timeout: 180_000, maxBuffer: 1 << 24 },
    )
    assert.ok(stdout.startsWith('['), stderr)
    const said: ComparedDkim[] = JSON.parse(stdout)
    return said
  } finally {
    folder.remove()
  }
}
