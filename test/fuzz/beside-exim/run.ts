/**
 * npm run fuzz:exim -- [seconds] [target ...] [--seed=N] [--most=N]
 *
 * Random inputs for Exim and for Postern, each target for so many seconds (60). Ends with 1 when their answers differ.
 */
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
