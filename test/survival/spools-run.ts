/** node dist/test/survival/spools-run.js [seconds] [first seed] [most faults] */
import { playSpool } from './spools.ts'

const [seconds = 60, first = Date.now() % 1_000_000, most = 5] = process.argv.slice(2).map(Number)
const until = Date.now() + seconds * 1000
let plays = 0
let faults = 0
for (let seed = first; Date.now() < until && faults < most; seed++) {
  plays++
  const wrong = await playSpool(seed, { rounds: 40, kills: seed % 3 > 0 })
  if (wrong.length === 0) continue
  faults++
  console.log(`seed ${seed}:\n  ${wrong.slice(0, 15).join('\n  ')}`)
}
console.log(`${plays} plays, ${faults} with faults`)
