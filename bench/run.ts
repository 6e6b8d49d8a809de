/** Runs the benches and prints their figures. `node dist/bench/run.js [WORD ...]` runs those whose file holds a word. */
import { cpus } from 'node:os'
import { basename } from 'node:path'
import { globSync } from '../test/support/glob.ts'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
}

const words = process.argv.slice(2)
// Node reads such certificates at each start, which takes longer than its start: no matter of what is measured.
delete process.env['NODE_EXTRA_CA_CERTS']
console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`)
for (const file of globSync('bench', '.js')) {
  const name = basename(file, '.js')
  if (name === 'run' || (words.length > 0 && !words.some((word) => name.includes(word)))) continue
  // The floor is a server of its own.
  if (name === 'floor') continue
  const bench: { run?: () => Promise<Figure[]> } = await import(file)
  if (bench.run === undefined) continue
  console.log(`\n${name}`)
  for (const figure of await bench.run()) {
    console.log(
      `  ${figure.name.padEnd(60)} ${figure.value.toLocaleString('en', { maximumFractionDigits: 2 }).padStart(12)} ${figure.unit}`,
    )
  }
}
process.exit(0)
