/** node dist/test/survival/worlds-run.js [seconds] [first seed] [most faults] [kills: 0, 1 or 2 for either] */
import { playWorld } from './worlds.ts'

const [seconds = 60, first = Date.now() % 1_000_000, most = 5, kills = 2] = process.argv.slice(2).map(Number)
const until = Date.now() + seconds * 1000
let worlds = 0
let faults = 0
let ended = false
// A world that has begun is played to its end, or its daemon would stay.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (ended = true))
for (let seed = first; !ended && Date.now() < until && faults < most; seed++) {
  worlds++
  const wrong = await playWorld(seed, {
    steps: 60,
    kills: kills === 2 ? seed % 2 === 0 : kills === 1,
    changes: seed % 5 !== 0,
    keep: true,
  })
  if (wrong.length === 0) continue
  faults++
  console.log(`seed ${seed}:\n  ${wrong.slice(0, 12).join('\n  ')}`)
}
console.log(`${worlds} worlds, ${faults} with faults`)
