/**
 * npm run fuzz -- [seconds] [target ...] [--seed=N]
 *
 * Random and mutated inputs, each target for so many seconds (60). Ends with 1 when something was found.
 */
import { describe, fuzz } from './fuzz.ts'
import { targets } from './targets/index.ts'

const words = process.argv.slice(2)
const seconds = Number(words.find((word) => /^\d+$/.test(word)) ?? 60)
const seed = Number(words.find((word) => word.startsWith('--seed='))?.slice(7) ?? Date.now() % 1_000_000_007)
const names = words.filter((word) => !/^\d+$|^--/.test(word))
const unknown = names.filter((name) => targets.every((target) => target.name !== name))
if (unknown.length > 0) {
  console.error(`No target ${unknown.join(', ')}; there are ${targets.map(({ name }) => name).join(', ')}.`)
  process.exit(2)
}
let found = 0
for (const { name } of targets.filter((target) => names.length === 0 || names.includes(target.name))) {
  const report = await fuzz(name, seconds, seed)
  console.log(describe(report))
  if (report.problem !== undefined) found++
}
process.exit(found === 0 ? 0 : 1)
