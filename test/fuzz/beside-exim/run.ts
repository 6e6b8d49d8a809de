/**
 * npm run fuzz:exim -- [seconds] [target ...] [--seed=N] [--most=N]
 *
 * Random inputs for Exim and for Postern, each target for so many seconds (60). Ends with 1 when their answers differ.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetchExim } from '../../support/debian.ts'

const words = process.argv.slice(2)
const numberOf = (name: string, otherwise: number): number =>
  Number(words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise)
const seconds = Number(words.find((word) => /^\d+$/.test(word)) ?? 60)
const names = words.filter((word) => !/^\d+$|^--/.test(word))
const exim = fetchExim()
if ('missing' in exim) {
  console.error(exim.missing)
  process.exit(2)
}
process.env['POSTERN_TEST_EXIM4'] = exim.path
const network = inOwnNetwork()
if (network !== undefined) process.exit(network)
// These look for Exim when they are loaded.
const { beside, describeBeside } = await import('./beside.ts')
const { besideTargets } = await import('./index.ts')
let found = 0
for (const target of besideTargets.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const report = await beside(target, {
    seed: numberOf('seed', Date.now() % 1_000_000_007),
    seconds,
    differences: numberOf('most', 20),
  })
  console.log(describeBeside(report))
  found += report.differences.length
}
process.exit(found === 0 ? 0 : 1)

/** Runs all this in a network of its own, where port 53 is free for DNS lists; undefined: it is, or that is not allowed here. */
function inOwnNetwork(): number | undefined {
  if (process.env['POSTERN_FUZZ_NETWORK'] !== undefined) return undefined
  if (process.getuid?.() !== 0 || spawnSync('unshare', ['-mn', 'true']).status !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'postern-fuzz-'))
  const resolvConf = join(folder, 'resolv.conf')
  writeFileSync(resolvConf, 'nameserver 127.0.0.1\n')
  const script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
  const ran = spawnSync(
    'unshare',
    ['-mn', 'sh', '-c', script, 'sh', resolvConf, process.execPath, ...process.argv.slice(1)],
    { stdio: 'inherit', env: { ...process.env, POSTERN_FUZZ_NETWORK: 'own' } },
  )
  rmSync(folder, { recursive: true, force: true })
  return ran.status ?? 1
}
