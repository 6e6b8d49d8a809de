/** node dist/test/survival/changes-run.js [seconds] [first seed] [most faults] */
import { judgeChange, randomChange, shrinkChange } from './changes.ts'

const [seconds = 60, first = Date.now() % 1_000_000_007, most = 5] = process.argv.slice(2).map(Number)
const until = Date.now() + seconds * 1000
let changes = 0
let faults = 0
for (let seed = first; Date.now() < until && faults < most; seed++) {
  changes++
  const change = randomChange(seed)
  if ((await judgeChange(change)).length === 0) continue
  faults++
  const small = await shrinkChange(change)
  console.log(`seed ${seed}: ${JSON.stringify(small)}\n  ${(await judgeChange(small)).join('\n  ')}`)
}
console.log(`${changes} changes, ${faults} faults`)
