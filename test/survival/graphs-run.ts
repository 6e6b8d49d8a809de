/** node dist/test/survival/graphs-run.js [seconds] [first seed] [most faults] */
import { judge, randomGraph, shrink } from './graphs.ts'

const [seconds = 60, first = Date.now() % 1_000_000_007, most = 5] = process.argv.slice(2).map(Number)
const until = Date.now() + seconds * 1000
let graphs = 0
let faults = 0
for (let seed = first; Date.now() < until && faults < most; seed++) {
  graphs++
  const graph = randomGraph(seed)
  if ((await judge(graph)).length === 0) continue
  faults++
  const small = await shrink(graph)
  console.log(`seed ${seed}: ${JSON.stringify(small)}\n  ${(await judge(small)).join('\n  ')}`)
}
console.log(`${graphs} graphs, ${faults} faults`)
