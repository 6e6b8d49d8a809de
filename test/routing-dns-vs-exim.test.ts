/** Routing by DNS: what a real Exim and Postern make of the same zone on the same configuration. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Compared } from './support/routing-dns-compare.ts'
import { optionRouters } from './support/routing-zone.ts'
import { repository } from './support/server.ts'

/** Differences that are meant. */
const meant: Readonly<Record<string, string>> = {
  '-bt x@managainpass.example': 'Exim shows hosts that a router before has left behind',
  '-bt x@hfpass.example': 'Exim shows hosts that a router before has left behind',
  '-bt x@mannull.example': 'Exim looks for a host whose name is empty',
  '-bv x@mannull.example': 'Exim looks for a host whose name is empty',
}

/** Hosts that are to be ignored, or to be secured: what cannot be told makes nothing less safe. */
const safer = /(?:ignore_target_hosts|dnssec_require_domains) = (?:\$\{lc|\+none)/
const deferred =
  / cannot be resolved at this time: (?:host lookup done insecurely|ignore_target_hosts: .*)\nexit 1$/

const program = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'

function whyNot(): string | false {
  if (!existsSync(program)) return 'no Exim on this machine to compare with'
  if (process.getuid?.() !== 0) return 'needs root for a network of its own'
  return spawnSync('unshare', ['-mn', 'true']).status === 0 ? false : 'unshare -mn is not allowed here'
}

test('dnslookup and manualroute go where Exim goes', { skip: whyNot() }, async (t) => {
  for (const { name, ours, theirs } of compare()) {
    await t.test(name, { skip: meant[name] }, () => {
      if (ours === theirs || !safer.test(name)) assert.equal(ours, theirs)
      else assert.match(ours, deferred)
    })
  }
})

function compare(): readonly Compared[] {
  const folder = mkdtempSync(join(tmpdir(), 'postern-dns-'))
  chmodSync(folder, 0o755)
  try {
    const resolvConf = join(folder, 'resolv.conf')
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\nsearch search.test\noptions trust-ad\n')
    const configuration = join(folder, 'exim.conf')
    const routers = readFileSync(join(repository, 'test', 'testdata', 'routing', 'dns.conf'), 'latin1')
    const places = `spool_directory = ${folder}/spool\nlog_file_path = ${folder}/%slog\nkeep_environment =\n`
    writeFileSync(
      configuration,
      places + routers.replace('begin routers\n', `begin routers\n\n${optionRouters}`),
    )
    const helper = join(dirname(fileURLToPath(import.meta.url)), 'support', 'routing-dns-compare.js')
    const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-mn', 'sh', '-c', script, 'sh', resolvConf, process.execPath, helper, program, configuration],
      { encoding: 'latin1', timeout: 120_000, maxBuffer: 1 << 24 },
    )
    assert.ok(stdout.startsWith('['), stderr)
    const said: Compared[] = JSON.parse(stdout)
    return said
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
